/* api/error.c
 * Purpose.     See error.h.
 */
#include "api/error.h"

#include <stdlib.h>
#include <unistd.h>

#include "api/figures.h"
#include "base/atomic.h"
#include "base/format.h"
#include "base/options.h"
#include "segment/view.h"

/* "hakmem: call(pointer, size): " with the call's name without its parameters. */
static void begin_line(struct format *f, enum hak_entry entry, const void *p, size_t size) {
    char name[32];
    struct format n = format_into(name, sizeof name);
    format_text(&n, hak_entry_names[entry]);
    for (size_t i = 0; i < n.length; i++) {
        if (name[i] == '(')
            name[i] = 0;
    }
    format_text(f, "hakmem: ");
    format_text(f, name);
    format_text(f, "(");
    format_pointer(f, p);
    if (size != ERROR_NO_SIZE) {
        format_text(f, ", ");
        format_number(f, (int64_t)size);
    }
    format_text(f, "): ");
}

static void end_line(struct format *f, hak_callsite_t site) {
    if (site != NULL) {
        format_text(f, ", called at ");
        format_text(f, site->file);
        format_text(f, ":");
        format_number(f, site->line);
    }
    format_text(f, "\n");
    fetch_add_relaxed(&hak_view.errors, 1);
    format_write(f, STDERR_FILENO);
    if (load_relaxed(&hak_options.on_error) == HAK_ON_ERROR_ABORT)
        abort();
}

void hak_error_bad_pointer(enum hak_entry entry, const void *p, size_t size, enum large_answer answer,
                           const struct large_info *info, hak_callsite_t site) {
    char line[256];
    struct format f = format_into(line, sizeof line);
    begin_line(&f, entry, p, size);
    if (answer == LARGE_INTERIOR) {
        format_text(&f, "inside a block that starts at ");
        format_pointer(&f, info->base);
    } else if (answer == LARGE_IS_FREE) {
        format_text(&f, "block already free");
    } else {
        format_text(&f, "not a block of hakmem");
        fetch_add_relaxed(&hak_view.foreign_frees, 1);
    }
    end_line(&f, site);
}

void hak_error_bad_size(enum hak_entry entry, const void *p, size_t size, size_t bytes) {
    char line[256];
    struct format f = format_into(line, sizeof line);
    begin_line(&f, entry, p, size);
    format_text(&f, "block has ");
    format_number(&f, (int64_t)bytes);
    format_text(&f, " bytes");
    end_line(&f, NULL);
}

void hak_error_bad_block(const void *p) {
    char line[256];
    struct format f = format_into(line, sizeof line);
    begin_line(&f, HAK_ENTRY_FREE, p, ERROR_NO_SIZE);
    format_text(&f, "block already free, or not the start of one (noticed later)");
    end_line(&f, NULL);
}
