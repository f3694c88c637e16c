#!/bin/bash
# timeout: 300
# stat and explain, compiled with AddressSanitizer and UndefinedBehaviorSanitizer, of one core file that is damaged in
# thousands of ways: in its headers and notes, in hakmem's records, and cut off. Each ends with one of the three exit
# statuses, a refusal with one line. They print text, JSON and OpenMetrics by turns.
. "$(dirname "$0")/support.bash"
source_dir=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$work"

compile_keeper
start "$work/ready" env LD_PRELOAD="$TEST_SO" "$work/keeper" "$work/ready"
dump core
stop

# Offsets of bytes to change: of all headers and of the notes, every few; of the object, of the records that it leads
# to and of the descriptors of slabs, a byte of each word that is not 0.
"$source_dir/test/support/core_edit.py" core '
for at in range(0, 64 + get(56, "<H") * 56, 2):
    print(at)
start = note(NT_FILE)[0]
for at in range(start, start + 2000, 3):
    print(at)
' '
def words(at, end, step):
    for word in range(at, end, 8 * step):
        if get(word, "<Q"):
            print(word + word // 8 % 8)
at = view()
words(at, at + get(at + 12, "<I"), 1)
# Metadata: threads, heaps, headers of units. Where the chain of chunks begins is told by the object: any segment that
# one of its words points to is worth a look.
seen = set()
for word in range(at, at + get(at + 12, "<I"), 8):
    for h in headers(LOAD):
        inside = get(word, "<Q") - field(h, VADDR)
        if 0 <= inside < field(h, FILESZ) and field(h, FLAGS) & 2 and (h, inside >> 15) not in seen:
            seen.add((h, inside >> 15))
            first = field(h, OFFSET) + (inside & ~7)
            words(first, min(first + 32768, field(h, OFFSET) + field(h, FILESZ)), 3)
' >offsets
[ "$(wc -l <offsets)" -gt 2000 ] || fail "few places to damage: $(wc -l <offsets)"

compile damage -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -I"$source_dir/include" \
    -I"$source_dir/src" -I"$source_dir/cli" \
    "$source_dir"/cli/{stat,explain,account,account_print,figures,figures_print,survey,view,object,symbols}.c \
    "$source_dir"/cli/{target,core,window,pages,basics,interval,json,count}.c \
    "$source_dir"/src/base/{figures_print,format}.c <<'C'
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "verb.h"
enum { PATTERNS = 3 };
static const char *path;
static int statuses[3];

/* The message of a refusal is one line. */
static void look(int (*verb)(int count, char **arguments), const char *form, long where) {
    char text[4096], *arguments[] = {"verb", (char *)path, (char *)form, NULL};
    fflush(stderr);
    if (ftruncate(2, 0) != 0 || lseek(2, 0, SEEK_SET) != 0)
        exit(3);
    optind = 0;
    int status = verb(form != NULL ? 3 : 2, arguments);
    ssize_t length = pread(2, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    if (status < 0 || status > 2 || (status != 0) != (length > 0) ||
        (status != 0 && strchr(text, '\n') != text + length - 1)) {
        dprintf(3, "at %ld: exit status %d, message '%s'\n", where, status, text);
        exit(3);
    }
    statuses[status]++;
}
static void look_both(long where) {
    static const char *const forms[] = {"--json", NULL, "--openmetrics"};
    static unsigned looks;
    unsigned form = looks++ / PATTERNS % 3;
    look(verb_stat, forms[form], where);
    look(verb_explain, form == 1 ? NULL : "--json", where);
}
int main(int count, char **arguments) {
    static const unsigned char pattern[PATTERNS] = {0x01, 0x80, 0xff};
    long at, places = 0, end = 0, step;
    path = arguments[1];
    int core = open(path, O_RDWR);
    FILE *offsets = fopen(arguments[2], "r");
    look_both(-1);
    if (statuses[0] != 2)
        return 4;
    while (fscanf(offsets, "%ld", &at) == 1) {
        unsigned char byte, changed;
        pread(core, &byte, 1, at);
        changed = byte ^ pattern[places++ % PATTERNS];
        pwrite(core, &changed, 1, at);
        look_both(at);
        pwrite(core, &byte, 1, at);
    }
    look_both(-1);
    dprintf(3, "%ld places: %d, %d, %d\n", places, statuses[0], statuses[1], statuses[2]);
    if (statuses[0] < places / 2 || statuses[1] == 0 || statuses[2] < 100)
        return 4;
    for (end = lseek(core, 0, SEEK_END); end > 0; end -= step) {
        ftruncate(core, end);
        look_both(end);
        step = end > 100000 ? end / 8 : end > 4096 ? 1000 : 7;
    }
    return 0;
}
C
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
status=0
./damage core offsets >/dev/null 2<>messages 3>"$work/out" || status=$?
cat "$work/out"
cp messages "$work/err"
[ $status = 0 ] || fail "exit status $status"
