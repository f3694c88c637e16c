/* terminal.c
 * Purpose.     See terminal.h.
 */
#include "terminal.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

static struct {
    SCREEN *screen;   // NULL while it is closed
    sigset_t outside; // signals that are blocked while no key is waited for
    bool colours;
} terminal;

static volatile sig_atomic_t ended;

/* Seconds. A wait of none would let no signal in. */
#define WAIT_MIN 0.01

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
#define ENDING_COUNT (sizeof ending / sizeof *ending)

static void on_end(int signal) {
    (void)signal;
    ended = 1;
}

static void hold_signals(void) {
    struct sigaction action = {.sa_handler = on_end};
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGWINCH);
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        sigaddset(&held, ending[i]);
        sigaction(ending[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &held, &terminal.outside);
}

/* Moving the cursor is all that a screen needs. */
static bool can_draw(void) {
    int found = 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || setupterm(NULL, STDOUT_FILENO, &found) != OK || found != 1)
        return false;
    const char *capability = tigetstr("cup");
    return capability != NULL && capability != (const char *)-1;
}

bool terminal_open(void) {
    static const short colour[] = {COLOR_GREEN, COLOR_CYAN, COLOR_RED, COLOR_YELLOW, COLOR_MAGENTA, COLOR_WHITE};
    setlocale(LC_CTYPE, "");
    if (!can_draw())
        return false;
    terminal.screen = newterm(NULL, stdout, stdin);
    if (terminal.screen == NULL)
        return false;
    atexit(terminal_close);
    hold_signals();
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, true);
    nodelay(stdscr, true);
    terminal.colours = has_colors() && start_color() == OK;
    if (terminal.colours)
        use_default_colors();
    for (size_t i = 0; terminal.colours && i < sizeof colour / sizeof *colour; i++)
        init_pair((short)(i + 1), COLOR_BLACK, colour[i]);
    return true;
}

void terminal_close(void) {
    if (terminal.screen == NULL)
        return;
    endwin();
    delscreen(terminal.screen);
    terminal.screen = NULL;
    sigprocmask(SIG_SETMASK, &terminal.outside, NULL);
}

void terminal_size(size_t *width, size_t *height) {
    *width = (size_t)COLS;
    *height = (size_t)LINES;
}

/* Its letters tell what each cell is; colours only repeat it. */
static void draw_bar(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        const char *letter = strchr(PAGE_BAR, text[i]);
        int pair = terminal.colours && letter != NULL ? (int)(letter - PAGE_BAR) + 1 : 0;
        addch((chtype)(unsigned char)text[i] | (chtype)COLOR_PAIR(pair));
    }
}

static void draw_line(int at, enum style style, const char *text) {
    static const attr_t attributes[] = {
        [STYLE_PLAIN] = A_NORMAL, [STYLE_STRONG] = A_BOLD, [STYLE_HEAD] = A_REVERSE, [STYLE_BAR] = A_NORMAL};
    size_t bytes = page_clip(text, (size_t)COLS);
    move(at, 0);
    attrset((int)attributes[style]);
    if (style == STYLE_BAR)
        draw_bar(text, bytes);
    else
        addnstr(text, (int)bytes);
    attrset(A_NORMAL);
}

void terminal_draw(const struct page *page, const char *foot) {
    erase();
    for (int i = 0; i < LINES - 1 && (size_t)i < page->count; i++)
        draw_line(i, page->line[i].style, page->line[i].text);
    draw_line(LINES - 1, STYLE_STRONG, foot);
    refresh();
}

static int take(int key) {
    switch (key) {
    case KEY_UP:
        return TERMINAL_UP;
    case KEY_DOWN:
        return TERMINAL_DOWN;
    case KEY_LEFT:
        return TERMINAL_LEFT;
    case KEY_RIGHT:
        return TERMINAL_RIGHT;
    case KEY_ENTER:
    case '\r':
    case '\n':
        return TERMINAL_ENTER;
    case '\f': // the usual key for it
        clearok(curscr, true);
        return TERMINAL_NONE;
    case KEY_RESIZE:
        return TERMINAL_NONE;
    default:
        return key;
    }
}

int terminal_key(double seconds) {
    int key = getch(); // what ncurses has read already
    if (key != ERR)
        return take(key);
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    double wait = seconds > WAIT_MIN ? seconds : WAIT_MIN;
    struct timespec time = {.tv_sec = (time_t)wait};
    time.tv_nsec = (long)((wait - (double)time.tv_sec) * 1e9);
    int found = ppoll(&input, 1, &time, &terminal.outside);
    if (ended || (found > 0 && (input.revents & POLLIN) == 0))
        return TERMINAL_END;
    key = getch();
    if (key == ERR)
        return found > 0 ? TERMINAL_END : TERMINAL_NONE;
    return take(key);
}
