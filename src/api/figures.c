/* api/figures.c
 * Purpose.     See figures.h.
 */
#include "api/figures.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "base/figures.h"
#include "base/figures_print.h"
#include "hakmem.h"
#include "heap/thread_list.h"
#include "os/os.h"
#include "segment/meta.h"
#include "segment/view.h"

SLOW static void gather(hak_stats_t *stats) {
    memset(stats, 0, sizeof *stats);
    stats->size = sizeof *stats;
    stats->version = HAK_STATS_VERSION;
    figures_begin(stats, &hak_view);
    for (const struct hak_thread_view *view = load_acquire(&hak_view.threads); view != NULL; view = view->next)
        figures_add_thread(stats, view, hak_view.class_size);
    for (unsigned id = 1; id <= HAK_HEAPS_MAX; id++)
        stats->heaps += load_acquire(&hak_heaps[id]) != NULL;
    figures_finish(stats);
}

/* The struct of the first header of this version. */
#define OLDEST_BYTES offsetof(hak_stats_t, reused_bytes)

/* For a program that was built with an earlier header, whose struct ends sooner. */
static bool gather_part(hak_stats_t *stats) {
    uint32_t size = stats->size;
    hak_stats_t *all = hak_meta_borrow(sizeof *all);
    if (all == NULL) {
        errno = ENOMEM;
        return false;
    }
    gather(all);
    memcpy(stats, all, size);
    stats->size = size;
    hak_meta_give_back(all, sizeof *all);
    return true;
}

int hak_stats_get(hak_stats_t *stats) {
    if (stats == NULL || stats->size < OLDEST_BYTES || stats->version != HAK_STATS_VERSION) {
        errno = EINVAL;
        return -1;
    }
    if (stats->size >= sizeof *stats)
        gather(stats);
    else if (!gather_part(stats))
        return -1;
    return 0;
}

/* ---- printing ---- */

enum { SET_NONE, SET_TIER, SET_ENTRY, SET_CLASS, SET_COUNT };

#define FIGURE_ROW(field, kind, set, column, text)                                                                     \
    {#field, FIGURE_##kind, SET_##set, column, text, offsetof(hak_stats_t, field)},
static const struct figure_row rows[] = {HAK_FIGURES(FIGURE_ROW)};
HAK_FIGURES(FIGURE_NAME_FITS)

#define NAME_FITS(id, symbol, kind) _Static_assert(sizeof symbol <= FIGURE_MEMBER_BYTES, symbol);
HAK_ENTRIES(NAME_FITS)
#define TIER_NAME(id, name) name,
#define SYMBOL_NAME(id, symbol, kind) symbol,
static const char tiers[][FIGURE_MEMBER_BYTES] = {HAK_TIERS(TIER_NAME)};
const char hak_entry_names[HAK_ENTRY_COUNT][FIGURE_MEMBER_BYTES] = {HAK_ENTRIES(SYMBOL_NAME)};

static const struct figure_set sets[SET_COUNT] = {
    [SET_NONE] = {NULL, NULL, 0, 1, NULL},
    [SET_TIER] = {"tier", "tiers", 0, HAK_TIER_COUNT, tiers},
    [SET_ENTRY] = {"function", "calls", 0, HAK_ENTRY_COUNT, hak_entry_names},
    [SET_CLASS] = {"block_bytes", "classes", 1, HAK_CLASS_COUNT, NULL},
};

struct printing {
    struct figures_print print;
    int fd;
    int error;
    hak_stats_t stats;
    char text[48 << 10]; /* most programs' numbers: one write then */
};

static void write_text(struct figures_print *print) {
    struct printing *printing = container_of(print, struct printing, print);
    if (printing->error == 0)
        printing->error = hak_os_write(printing->fd, print->out.buffer, print->out.length);
    print->out.length = 0;
}

int hak_figures_print(int fd, enum hak_stats_format format) {
    struct printing *printing = hak_meta_borrow(sizeof *printing);
    if (printing == NULL)
        return ENOMEM;
    gather(&printing->stats);
    printing->fd = fd;
    struct figures_print *print = &printing->print;
    print->row = rows;
    print->row_count = sizeof rows / sizeof *rows;
    print->set = sets;
    print->set_count = SET_COUNT;
    print->values = &printing->stats;
    print->class_size = hak_view.class_size;
    print->pid = hak_os_process_id();
    print->out = format_into(printing->text, sizeof printing->text);
    print->flush = write_text;
    if (format == HAK_STATS_TEXT)
        hak_figures_text(print);
    else if (format == HAK_STATS_JSON)
        hak_figures_json(print);
    else
        hak_figures_openmetrics(print);
    int error = printing->error;
    hak_meta_give_back(printing, sizeof *printing);
    return error;
}

int hak_stats_print(int fd, int format) {
    int error = format < HAK_STATS_TEXT || format > HAK_STATS_OPENMETRICS
                    ? EINVAL
                    : hak_figures_print(fd, (enum hak_stats_format)format);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
