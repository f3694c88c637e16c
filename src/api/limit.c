/* api/limit.c
 * Purpose.     See limit.h.
 */
#include "api/limit.h"

#include <errno.h>

#include "api/options.h"
#include "base/options.h"
#include "hakmem.h"
#include "os/cgroup.h"
#include "os/os.h"

static void (*told)(size_t bytes_in_use, size_t limit, int hard);

_Static_assert(HAK_LIMIT_NONE == CGROUP_NO_LIMIT, "what a group does not limit is not limited");

unsigned hak_limit_start(void) {
    unsigned cpus = hak_os_cpu_count();
    if (hak_options.cgroup || *hak_options_cgroup_root != '\0') {
        struct cgroup_limits group = hak_cgroup_read(hak_options_cgroup_root);
        hak_view.group_bytes = group.memory_bytes;
        cpus = (unsigned)least(cpus, group.cpu_count);
    }
    hak_view.cpu_count = cpus;
    hak_limit_apply();
    return cpus;
}

static uint64_t or_none(int64_t bytes) {
    return bytes == 0 ? HAK_LIMIT_NONE : (uint64_t)bytes;
}

void hak_limit_apply(void) {
    uint64_t group = hak_view.group_bytes;
    uint64_t careful = group == HAK_LIMIT_NONE ? group : group - group / 10;
    hak_limit_set(least(or_none(hak_options.limit_soft), careful), or_none(hak_options.limit_hard));
}

void hak_limit_callback(void (*callback)(size_t bytes_in_use, size_t limit, int hard)) {
    store_release(&told, callback);
}

void hak_limit_tell(void) {
    uint32_t untold = exchange_acquire(&hak_limits.untold, 0);
    void (*callback)(size_t, size_t, int) = load_acquire(&told);
    int saved = errno;
    for (int limit = HAK_LIMIT_SOFT; callback != NULL && limit < HAK_LIMIT_COUNT; limit++) {
        if ((untold >> limit & 1) != 0)
            callback(limit_used() + load_relaxed(&hak_view.retained_bytes), load_relaxed(&hak_view.limit_bytes[limit]),
                     limit == HAK_LIMIT_HARD);
    }
    errno = saved;
}
