/* os/os.h
 * Purpose.     Everything hakmem asks of the kernel.
 * Design.      One implementation per system (os_linux.c), made of raw system calls: errno stays untouched, no other
 *              library can stand in between, and a test can stand in for the whole file.
 *
 * Shared precondition: addresses and sizes are multiples of hak_os_page_size() unless said otherwise. Functions return
 * 0 or an errno value; ENOMEM is the only one that a caller may meet in a healthy program (address-space limit, limit
 * of mappings, overcommit), and every caller must survive it with its state unchanged.
 * Concurrency. All functions may be called from any thread.
 */
#ifndef HAK_OS_OS_H
#define HAK_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Bytes of a page: 4, 16 or 64 KiB. Known from the first call on. */
size_t hak_os_page_size(void);

/* Reserves address space that cannot be accessed, at an address of the kernel's choice. NULL if there is none. */
void *hak_os_reserve(size_t bytes) NODISCARD;

/* As hak_os_reserve, at a multiple of `alignment` (a power of two). */
void *hak_os_reserve_aligned(size_t bytes, size_t alignment) NODISCARD;

/* Makes reserved space readable; it reads as zeros and costs no commit charge. */
int hak_os_make_readable(void *address, size_t bytes) NODISCARD;

/* Makes reserved or readable space usable. Fresh pages are zero. */
int hak_os_commit(void *address, size_t bytes) NODISCARD;

/* Gives the pages back; they read as zeros afterwards. The space stays committed. */
int hak_os_purge(void *address, size_t bytes) NODISCARD;

/* Gives the address space back. */
int hak_os_release(void *address, size_t bytes) NODISCARD;

/* Grows or shrinks a whole mapping where it stands. */
int hak_os_resize(void *address, size_t old_bytes, size_t new_bytes) NODISCARD;

/* Takes back what a program may have asked for a mapping: no access, no copy in a fork's child, not in a core. False if
 * it has come to be several all the same: other attributes of a part, or something else that is mapped there. */
bool hak_os_renew(void *address, size_t bytes) NODISCARD;

/* Moves the pages of a mapping of `old_bytes` onto `to`, which is reserved space of `new_bytes`; the old space is
 * gone afterwards. */
int hak_os_move(void *from, size_t old_bytes, void *to, size_t new_bytes) NODISCARD;

/* Leaves the range out of core dumps. Advice. */
int hak_os_advise_no_dump(void *address, size_t bytes);

/* Asks for (or against) transparent huge pages. Advice: a failure may be ignored. */
int hak_os_advise_huge(void *address, size_t bytes, bool huge);

/* Reads the first `capacity` - 1 bytes of a file, terminated. How many there are: 0 if it cannot be read. */
size_t hak_os_read_file(const char *path, char *text, size_t capacity);

/* Milliseconds of a clock that never goes back; resolution of a scheduler tick. */
uint64_t hak_os_now_ms(void);

/* Cpus this process may run on, at least 1. */
unsigned hak_os_cpu_count(void);

/* True if this process certainly has no second thread. */
bool hak_os_is_single_threaded(void);

/* The kernel's id of the calling thread. */
uint32_t hak_os_thread_id(void);

/* The kernel's id of this process. */
uint32_t hak_os_process_id(void);

/* Lets another thread run. */
void hak_os_yield(void);

/* Opens a file to be written from its start, made or emptied, closed by exec; never waits for a reader. None of the
 * three is a point where a thread may be cancelled. */
int hak_os_open_to_write(const char *path, int *fd) NODISCARD;
int hak_os_write(int fd, const char *text, size_t bytes) NODISCARD;
void hak_os_close(int fd);

/* Bytes of address space this process may use, SIZE_MAX if there is no limit. */
size_t hak_os_address_space_limit(void);

/* Sleeps while *word == expected, until a wake-up (or for no reason). timeout_ms 0 waits without limit. */
void hak_os_futex_wait(uint32_t *word, uint32_t expected, uint32_t timeout_ms);
void hak_os_futex_wake(uint32_t *word, int count);

#endif
