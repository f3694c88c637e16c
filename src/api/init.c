/* api/init.c
 * Purpose.     Start of the allocator, birth and end of threads, fork.
 * Design.      The first slow path of the process starts the allocator, from wherever it is called: the loader, a
 *              constructor, main. Nothing here needs the C library to be initialised, the environment apart: if that
 *              is not there yet, options are read by this library's constructor.
 *              Fork handlers are registered at that first call, before any other library can register its own: they
 *              then run last before the fork and first after it, so that other handlers may allocate.
 * Concurrency. init.ready is set with release order under the lock and read with acquire.
 */
#include "api/init.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "api/background.h"
#include "api/control.h"
#include "api/error.h"
#include "api/limit.h"
#include "api/options.h"
#include "base/options.h"
#include "heap/thread_capacity.h"
#include "heap/thread_list.h"
#include "segment/arena.h"
#include "segment/page_map.h"
#include "segment/superslab.h"

static struct {
    struct lock lock;
    bool ready;        /* atomic: release under the lock, acquire without */
    bool has_key;      /* const once ready */
    bool options_read; /* const after the constructor */
    pthread_key_t key;
} init = {.lock = {.rank = LOCK_RANK_THREADS}};

static void thread_ends(void *unused) {
    (void)unused;
    hak_thread_end();
}

/* glibc's fork takes the lock of its list of streams after our handlers, and a thread that holds that lock may be
 * waiting, through others, for one of ours: so it comes before them here. Not where we are inside a slow path
 * ourselves: then nothing may be waited for. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));

/* A bit for each fork this thread is in, the lowest for the innermost: a signal handler may fork between the handlers
 * of another fork. */
HAK_TLS unsigned streams_locked;

static void before_fork(void) {
    bool lock = _IO_list_lock != NULL && _IO_list_unlock != NULL && !hak_thread_is_inside();
    if (lock)
        _IO_list_lock();
    hak_thread_prefork();
    streams_locked = streams_locked << 1 | lock;
}

static bool pop_streams_locked(void) {
    bool locked = streams_locked & 1;
    streams_locked >>= 1;
    return locked;
}

static void after_fork_in_parent(void) {
    bool unlock = pop_streams_locked();
    hak_thread_postfork_parent();
    if (unlock)
        _IO_list_unlock();
}

static void after_fork_in_child(void) {
    bool locked = pop_streams_locked();
    hak_thread_postfork_child();
    hak_control_forked();
    if (locked && _IO_list_resetlock != NULL)
        _IO_list_resetlock();
    if (!hak_thread_is_inside())
        hak_background_start();
}

/* What pthread_atfork calls, without an owner: handlers with one are taken away when the program exits, while other
 * threads may still fork, with one half of the protocol above done and the other not. */
extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *) __attribute__((weak));

static void register_fork_handlers(void) {
    if (__register_atfork != NULL)
        (void)__register_atfork(before_fork, after_fork_in_parent, after_fork_in_child, NULL);
    else
        (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static void read_options(void) {
    if (!init.options_read && environ != NULL) {
        hak_options_read();
        init.options_read = true;
    }
}

static void start(void) {
    bool mine = false;
    lock_acquire(&init.lock);
    if (!init.ready) {
        read_options();
        hak_page_map_init();
        hak_arena_init();
        hak_superslab_init();
        hak_thread_init(hak_limit_start());
        hak_heap_on_bad_block = hak_error_bad_block;
        init.has_key = pthread_key_create(&init.key, thread_ends) == 0;
        store_release(&init.ready, true);
        mine = true;
    }
    lock_release(&init.lock);
    /* May allocate, so not under the lock. */
    if (mine)
        register_fork_handlers();
}

/* Slow paths that a thread has taken without a record. */
HAK_TLS uint16_t visits;

static uint16_t visits_needed(void) {
    if (hak_thread_list_is_warm())
        return HAK_WARM_VISITS;
    return threads_are_many() ? HAK_VISITS_MANY : HAK_VISITS_MAX;
}

/* The process's first thread has a record at once; any other has to earn it, since most threads of large pools hardly
 * allocate. It is soon earned where another thread has left one. */
static bool deserves_record(void) {
    if (load_acquire(&init.ready))
        return ++visits > visits_needed();
    start();
    return !thread_is_alive(hak_thread_self);
}

SLOW static struct thread *begin_thread(void) {
    int saved = errno;
    if (deserves_record() && hak_thread_begin() && init.has_key)
        (void)pthread_setspecific(init.key, &init);
    errno = saved;
    return thread_is_alive(hak_thread_self) ? hak_thread_self : NULL;
}

struct thread *hak_api_thread(void) {
    struct thread *thread = hak_thread_self;
    if (likely(thread_is_alive(thread)))
        return thread;
    return hak_thread_ended ? NULL : begin_thread();
}

__attribute__((constructor(101))) static void at_load(void) {
    (void)hak_api_thread();
    read_options();
    hak_limit_apply();
    if (hak_options.confirm)
        hak_options_print();
    hak_background_start();
}
