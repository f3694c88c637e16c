/* os/cgroup.h
 * Purpose.     What the control groups of this process let it use.
 * Design.      /proc/self/cgroup names the process's group in each hierarchy. A limit of any group above it counts as
 *              well, so the way from there up to the mount is gone, and the least counts. A container may not see its
 *              own group by the name that it is told, but always what holds for it at the mount; what is not seen has
 *              no files and is passed over. A controller is asked where /proc/self/cgroup lists it, in version 2 if
 *              that is nowhere.
 *              Nothing is kept: the buffers are a mapping for as long as it takes, since start may run on any stack.
 * Not here.    What follows from it (api/limit.h).
 */
#ifndef HAK_OS_CGROUP_H
#define HAK_OS_CGROUP_H

#include <stdint.h>

#define CGROUP_NO_LIMIT UINT64_MAX

struct cgroup_limits {
    uint64_t memory_bytes; /* what the kernel reclaims or kills at */
    uint64_t cpu_count;    /* the quota in cpus, rounded up, at least 1 */
};

/* `root` stands before the path of every file: "" for this machine's own. */
struct cgroup_limits hak_cgroup_read(const char *root);

#endif
