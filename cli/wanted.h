/* wanted.h
 * Purpose.     Who is to serve the processes: hakmem, libc, or whatever library is preloaded.
 * Design.      hakmem is known by what it holds (view.h), so it may have any name and be linked in; another library by
 *              its path, since it has nothing else to be known by; libc by its role. What a library is, whatever its
 *              path says, is told apart from that (identity.h).
 */
#ifndef HAK_CLI_WANTED_H
#define HAK_CLI_WANTED_H

enum wanted_kind { WANT_HAKMEM, WANT_LIBC, WANT_LIBRARY };

struct wanted {
    enum wanted_kind kind;
    const char *preload; // path of what is preloaded; NULL for nothing
    const char *name;    // in sentences
};

#endif
