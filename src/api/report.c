/* api/report.c
 * Purpose.     See report.h.
 */
#include "api/report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "api/figures.h"
#include "base/compiler.h"
#include "base/format.h"
#include "base/options.h"
#include "os/os.h"
#include "segment/meta.h"
#include "segment/view.h"

#define PATH_BYTES 1024u
#define TIME_MAX_MS 86400000u

/* Const once the program's own code runs, but for the last two. */
static struct {
    uint64_t every_ms; /* 0 unless periodic */
    size_t path_length;
    char path[PATH_BYTES];
    uint64_t next_ms; /* atomic: when it is due */
    bool has_failed;  /* by whoever writes */
} report;

/* ---- the option ---- */

/* Takes `word` off the front of the text. */
static bool take_word(const char **text, size_t *length, const char *word) {
    size_t bytes = strlen(word);
    if (*length < bytes || memcmp(*text, word, bytes) != 0)
        return false;
    *text += bytes;
    *length -= bytes;
    return true;
}

/* 10s, 500ms; 0 if it is none. */
static uint64_t take_time(const char **text, size_t *length) {
    uint64_t time = 0;
    for (; *length > 0 && **text >= '0' && **text <= '9' && time <= TIME_MAX_MS; (*text)++, (*length)--)
        time = time * 10 + (uint64_t)(**text - '0');
    if (take_word(text, length, "s"))
        time *= 1000;
    else if (!take_word(text, length, "ms"))
        return 0;
    return time <= TIME_MAX_MS ? time : 0;
}

/* :FILE, to the end. */
static bool is_file(const char *text, size_t length) {
    return length > 1 && length <= PATH_BYTES && text[0] == ':';
}

static void set_up(uint64_t every_ms, const char *text, size_t length) {
    report.every_ms = every_ms;
    report.path_length = length == 0 ? 0 : length - 1;
    memcpy(report.path, text + (length != 0), report.path_length);
    store_relaxed(&report.next_ms, hak_os_now_ms() + every_ms);
    if (every_ms != 0)
        store_relaxed(&hak_view.control.attention, 1u);
}

SLOW bool hak_report_parse(const char *text, size_t length, int64_t *when) {
    enum hak_report parsed;
    uint64_t every_ms = 0;
    if (take_word(&text, &length, "off"))
        parsed = HAK_REPORT_OFF;
    else if (take_word(&text, &length, "exit"))
        parsed = HAK_REPORT_EXIT;
    else if (take_word(&text, &length, "every:") && (every_ms = take_time(&text, &length)) != 0)
        parsed = HAK_REPORT_EVERY;
    else
        return false;
    if (length == 0 ? parsed == HAK_REPORT_EVERY : parsed == HAK_REPORT_OFF || !is_file(text, length))
        return false;
    set_up(every_ms, text, length);
    *when = parsed;
    return true;
}

/* ---- writing ---- */

bool hak_report_is_periodic(void) {
    return report.every_ms != 0;
}

bool hak_report_is_due(void) {
    return report.every_ms != 0 && hak_os_now_ms() >= load_relaxed(&report.next_ms);
}

/* The file's name with each %p replaced by up to ten digits; a line about it. */
struct naming {
    char path[PATH_BYTES * 5];
    char line[PATH_BYTES * 5 + 128];
};

static void name_file(struct format *path) {
    for (size_t i = 0; i < report.path_length; i++) {
        if (report.path[i] == '%' && i + 1 < report.path_length && report.path[i + 1] == 'p') {
            format_number(path, hak_os_process_id());
            i++;
        } else {
            format_span(path, &report.path[i], 1);
        }
    }
}

static bool ends_with(const struct format *path, const char *end) {
    size_t bytes = strlen(end);
    return path->length >= bytes && memcmp(path->buffer + path->length - bytes, end, bytes) == 0;
}

static enum hak_stats_format format_of(const struct format *path) {
    return ends_with(path, ".json")   ? HAK_STATS_JSON
           : ends_with(path, ".prom") ? HAK_STATS_OPENMETRICS
                                      : HAK_STATS_TEXT;
}

static const char *reason_of(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return "no such folder";
    case EACCES:
    case EPERM:
    case EROFS:
        return "not allowed";
    case EISDIR:
        return "it is a folder";
    case ENOSPC:
    case EDQUOT:
        return "no space left";
    default:
        return NULL;
    }
}

static void say_why(struct naming *naming, int error) {
    struct format line = format_into(naming->line, sizeof naming->line);
    format_text(&line, "hakmem: cannot write statistics to ");
    format_text(&line, naming->path);
    format_text(&line, ": ");
    if (reason_of(error) != NULL) {
        format_text(&line, reason_of(error));
    } else {
        format_text(&line, "error ");
        format_number(&line, error);
    }
    format_text(&line, "; HAKMEM_STATS names the file\n");
    (void)!hak_os_write(STDERR_FILENO, line.buffer, line.length);
}

static void write_file(struct naming *naming) {
    struct format path = format_into(naming->path, sizeof naming->path);
    int fd;
    name_file(&path);
    int error = hak_os_open_to_write(naming->path, &fd);
    if (error == 0) {
        error = hak_figures_print(fd, format_of(&path));
        hak_os_close(fd);
    }
    if (error != 0 && !report.has_failed)
        say_why(naming, error);
    report.has_failed |= error != 0;
}

SLOW void hak_report_write(void) {
    store_relaxed(&report.next_ms, hak_os_now_ms() + report.every_ms);
    if (hak_options.stats == HAK_REPORT_OFF)
        return;
    if (report.path_length == 0) {
        (void)hak_figures_print(STDERR_FILENO, HAK_STATS_TEXT);
        return;
    }
    struct naming *naming = hak_meta_borrow(sizeof *naming);
    if (naming == NULL)
        return;
    write_file(naming);
    hak_meta_give_back(naming, sizeof *naming);
}
