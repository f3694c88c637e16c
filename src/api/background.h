/* api/background.h
 * Purpose.     The opt-in thread that purges, and does what tools ask, while the program sleeps
 *              (HAKMEM_BACKGROUND_THREAD=1).
 * Design.      Off by default: a thread that a preloaded library starts surprises programs that count theirs, fork, or
 *              sandbox themselves. It allocates nothing, blocks all signals and is started again in a fork's child.
 */
#ifndef HAK_API_BACKGROUND_H
#define HAK_API_BACKGROUND_H

/* Starts the thread if the option asks for it. */
void hak_background_start(void);

#endif
