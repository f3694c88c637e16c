/* page.h
 * Purpose.     Lines of text that are put on a screen or printed.
 * Design.      A line is text and says everything by it; its style is what a terminal may add.
 * Invariants.  Every character of a line takes one column: ASCII, or block elements in UTF-8.
 */
#ifndef HAK_CLI_PAGE_H
#define HAK_CLI_PAGE_H

#include <stddef.h>
#include <stdio.h>

enum style { STYLE_PLAIN, STYLE_STRONG, STYLE_HEAD, STYLE_BAR };

/* The letters of a bar, which have a colour each. */
#define PAGE_BAR "Lcfrm."

struct page {
    struct page_line {
        enum style style;
        char *text;
    } * line;
    size_t count, room;
};

/* A line more; something at the end of the last one. */
void page_add(struct page *page, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
void page_append(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The bytes of the text that take `columns` columns, or all. */
size_t page_clip(const char *text, size_t columns);

void page_print(const struct page *page, FILE *out);
void page_free(struct page *page);

#endif
