/* api/background.c
 * Purpose.     See background.h.
 */
#include "api/background.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "api/control.h"
#include "base/options.h"
#include "heap/thread_list.h"
#include "os/os.h"
#include "segment/purge.h"

#define STACK_BYTES 65536

/* A quarter of the purge delay, but neither busy nor deaf to what it is asked (control.h). */
#define PAUSE_MIN_MS 10u
#define PAUSE_MAX_MS 500u

static void *purge_forever(void *unused) {
    static uint32_t never_woken;
    (void)unused;
    for (;;) {
        uint64_t pause_ms = (uint64_t)load_relaxed(&hak_options.purge_delay) / 4;
        pause_ms = pause_ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms;
        hak_os_futex_wait(&never_woken, 0, (uint32_t)pause_ms);
        hak_thread_list_tick();
        while (hak_thread_list_cool()) {
        }
        hak_spare_tick();
        hak_purge_tick();
        hak_control_tick();
    }
    return NULL;
}

void hak_background_start(void) {
    if (!hak_options.background_thread)
        return;
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_create(&thread, &attributes, purge_forever, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}
