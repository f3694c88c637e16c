/* base/check.c
 * Purpose.     The one way out when hakmem itself is broken. See check.h.
 */
#include "base/check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/format.h"

void hak_fatal(const char *text) {
    char line[512];
    struct format f = format_into(line, sizeof line);
    format_text(&f, "hakmem: ");
    format_text(&f, text);
    format_text(&f, "\n");
    format_write(&f, STDERR_FILENO);
    abort();
}
