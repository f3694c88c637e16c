/* api/control.c
 * Purpose.     See control.h.
 */
#include "api/control.h"

#include <errno.h>
#include <string.h>

#include "api/options.h"
#include "api/report.h"
#include "base/options.h"
#include "hakmem.h"
#include "os/lock.h"
#include "os/os.h"

#define CONTROL (&hak_view.control)

/* How many milliseconds the end of the program waits for another thread that is writing statistics. */
#define EXIT_TRIES 2000u

HAK_TLS_DEFINE uint64_t hak_control_quiet;

static uint32_t busy; /* atomic: the id of the thread that attends, 0 if none does */

static bool begin(void) {
    uint32_t expected = 0;
    return cas_acquire(&busy, &expected, hak_lock_self());
}

static bool trim(void) {
    if (thread_is_alive(hak_thread_self))
        hak_thread_self->trims = load_relaxed(&CONTROL->trims);
    return hak_trim();
}

/* A thread without a record holds nothing, and does not know yet what it will be given. */
static void follow(void) {
    if (!thread_is_alive(hak_thread_self))
        return;
    uint32_t trims = load_relaxed(&CONTROL->trims);
    if (hak_thread_self->trims != trims) {
        hak_thread_self->trims = trims;
        hak_thread_flush();
    }
    const uint32_t quiet[] = {0, hak_thread_self->trims};
    memcpy(&hak_control_quiet, quiet, sizeof quiet);
}

static void carry_out(struct hak_request *request) {
    switch (request->kind) {
    case HAK_REQUEST_TRIM:
        store_relaxed(&CONTROL->trims, CONTROL->trims + 1);
        request->value = trim();
        request->result = 0;
        break;
    case HAK_REQUEST_SET:
        request->result = hak_options_change(request->option, &request->value);
        break;
    default:
        request->result = EINVAL;
    }
}

/* A number that no tool can have left there is not worked down. */
SLOW static void carry_out_all(void) {
    uint32_t asked = load_acquire(&CONTROL->asked), done = CONTROL->done;
    while (done != asked) {
        if (asked - done <= HAK_REQUEST_COUNT)
            carry_out(&CONTROL->request[done++ % HAK_REQUEST_COUNT]);
        else
            done = asked;
        store_release(&CONTROL->done, done);
    }
}

void hak_control_attend(void) {
    follow();
    if (load_relaxed(&CONTROL->attention) == 0)
        return;
    bool asked = load_relaxed(&CONTROL->asked) != load_relaxed(&CONTROL->done);
    if ((!asked && hak_report_is_periodic() && !hak_report_is_due()) || !begin())
        return;
    /* Before the look at `asked`, which a tool writes before it sets the word again. */
    (void)exchange_seq_cst(&CONTROL->attention, (uint32_t)hak_report_is_periodic());
    carry_out_all();
    if (hak_report_is_due())
        hak_report_write();
    store_release(&busy, 0u);
}

void hak_control_forked(void) {
    store_relaxed(&CONTROL->done, load_relaxed(&CONTROL->asked));
    store_relaxed(&busy, 0u);
}

/* At exit, and where the last thread ends. Whoever is writing is waited for, unless it is this thread, further down its
 * stack, and not for ever. It is not made free again: nobody writes over what is written here. */
__attribute__((destructor(101))) static void at_exit(void) {
    static uint32_t never_woken;
    if (hak_options.stats == HAK_REPORT_OFF)
        return;
    for (unsigned i = 0; i < EXIT_TRIES && !begin() && load_relaxed(&busy) != hak_lock_self(); i++)
        hak_os_futex_wait(&never_woken, 0, 1);
    hak_report_write();
}
