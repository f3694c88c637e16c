/* terminal.h
 * Purpose.     Draws pages on the terminal and reads keys: all that is asked of ncurses.
 * Design.      Signals that end the command or resize the terminal arrive only while it waits for a key, so nothing is
 *              drawn halfway, and the terminal is left as it was found whatever ends the command.
 */
#ifndef HAK_CLI_TERMINAL_H
#define HAK_CLI_TERMINAL_H

#include "page.h"

#include <stdbool.h>

/* False if standard input and output are no terminal that can draw a screen (TERM=dumb); nothing has happened then. */
bool terminal_open(void);

/* As it was found. Once more does nothing. */
void terminal_close(void);

void terminal_size(size_t *width, size_t *height);

/* What of the page there is room for, the foot in the last line. */
void terminal_draw(const struct page *page, const char *foot);

/* Besides characters. TERMINAL_END: the command is to end, or there are no more keys. */
enum { TERMINAL_NONE = 1000, TERMINAL_END, TERMINAL_UP, TERMINAL_DOWN, TERMINAL_LEFT, TERMINAL_RIGHT, TERMINAL_ENTER };

/* Waits for a key so long. TERMINAL_NONE: there was none, or the terminal's size has changed, or the screen is to be
 * drawn again from nothing (control-L). */
int terminal_key(double seconds);

#endif
