/* page.c
 * Purpose.     See page.h.
 */
#include "page.h"

#include "basics.h"

#include <stdlib.h>

void page_add(struct page *page, enum style style, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    page->line = need_room(page->line, page->count, &page->room, sizeof *page->line);
    page->line[page->count++] = (struct page_line){style, need_vformat(format, arguments)};
    va_end(arguments);
}

void page_append(struct page *page, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    struct page_line *line = &page->line[page->count - 1];
    char *more = need_vformat(format, arguments), *before = line->text;
    line->text = need_format("%s%s", before, more);
    free(before);
    free(more);
    va_end(arguments);
}

size_t page_clip(const char *text, size_t columns) {
    size_t at = 0;
    while (text[at] != 0 && ((text[at] & 0xc0) == 0x80 || columns-- > 0))
        at++;
    return at;
}

void page_print(const struct page *page, FILE *out) {
    for (size_t i = 0; i < page->count; i++)
        fprintf(out, "%s\n", page->line[i].text);
}

void page_free(struct page *page) {
    for (size_t i = 0; i < page->count; i++)
        free(page->line[i].text);
    free(page->line);
    *page = (struct page){0};
}
