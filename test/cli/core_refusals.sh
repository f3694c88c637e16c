#!/bin/bash
# stat and explain of what is no core, or of a core that does not tell: one line says why, with the exit status that
# hakmem(1) tells, and nothing is printed.
. "$(dirname "$0")/support.bash"
source_dir=${SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$work"

# refused STATUS FILE MESSAGE: by both verbs; the message is a pattern, behind the name of the file.
refused() {
    local verb
    for verb in stat 'stat --json' 'stat --openmetrics' explain 'explain --json'; do
        # shellcheck disable=SC2086
        expect "$1" "$TEST_CLI" $verb "$2"
        err_has "^hakmem: $3\$"
        [ "$(wc -l <"$work/err")" = 1 ] || fail "more than one line"
        out_is_empty
    done
}
cannot() { refused 2 "$1" "cannot (look at|explain) core file $1: $2"; }

# edited EXPRESSION... -- MESSAGE: so changed, the core is refused.
edited() {
    local edits=()
    while [ "$1" != -- ]; do
        edits+=("$1")
        shift
    done
    cp --sparse=always core bad
    "$source_dir/test/support/core_edit.py" bad "${edits[@]}" || fail "cannot edit: ${edits[*]}"
    cannot bad "$2"
}

compile_keeper
cp "$TEST_SO" libcopy.so
start "$work/ready" env LD_PRELOAD="$work/libcopy.so" "$work/keeper" "$work/ready"
dump core
stop
expect 0 "$TEST_CLI" stat core
expect 0 "$TEST_CLI" explain core

# No core.
cannot nothing 'No such file or directory'
cannot . 'it is no regular file'
mkfifo pipe
cannot pipe 'it is no regular file'
: >empty
cannot empty 'it is no ELF file'
cannot keeper 'it is a program or a library, not a core'
cannot "$TEST_SO" 'it is a program or a library, not a core'
for machine in 'put(18, "<H", 22)' 'put(4, "B", 1)' 'put(5, "B", 2)'; do
    edited "$machine" -- 'it is of another architecture than [a-z0-9-]+'
done
ln core 4194304
expect 2 "$TEST_CLI" stat 4194304
err_has '^hakmem: there is no process 4194304$'
expect 0 "$TEST_CLI" stat ./4194304
expect 2 "$TEST_CLI" top core
err_has "^hakmem: top takes the number of a process, not 'core'$"
expect 2 "$TEST_CLI" stat --watch core
err_has '^hakmem: stat: --watch looks at a running process; a core file does not change$'
out_is_empty

# Cut off, wherever it is; behind what is listed gdb puts sections.
end=$("$source_dir/test/support/core_edit.py" core \
    'print(max(field(h, OFFSET) + field(h, FILESZ) for kind in (LOAD, NOTE) for h in headers(kind)))')
for length in 4 63 64 200 3000 20000 $((end / 2)) $((end - 1)); do
    cp --sparse=always core bad
    truncate -s "$length" bad
    cannot bad 'it is cut off: not all that it lists is there'
done
edited 'set_field(headers(LOAD)[3], OFFSET, 1 << 63)' -- 'it is cut off: not all that it lists is there'
edited 'set_field(headers(LOAD)[3], OFFSET, (1 << 64) - 1)' -- 'it is cut off: not all that it lists is there'
edited 'put(32, "<Q", (1 << 64) - 56)' -- 'it is cut off: not all that it lists is there'
edited 'put(56, "<H", 0xffff); put(40, "<Q", 1 << 62)' -- 'it is cut off: not all that it lists is there'

# Headers and notes.
sense='its headers make no sense'
edited 'put(54, "<H", 55)' -- "$sense"
edited 'put(56, "<H", 0)' -- "$sense"
edited 'h = headers(LOAD)[3]; set_field(h, MEMSZ, field(h, FILESZ) - 1)' -- "$sense"
edited 'set_field(headers(LOAD)[3], VADDR, (1 << 64) - 4096)' -- "$sense"
edited 'h = headers(LOAD); set_field(h[3], VADDR, field(h[2], VADDR))' -- "$sense"
for count in '1 << 20' '1 << 61' '(1 << 64) - 1'; do
    edited "put(note(NT_FILE)[1], '<Q', $count)" -- "$sense"
done
edited 'put(note(NT_FILE)[0] + 8, "<I", 7)' -- 'it does not tell which files were mapped where \(NT_FILE\)'
edited 'put(56, "<H", 0xffff); put(40, "<Q", 0)' -- "$sense"
edited 'at = note(NT_FILE)[1]; put(at + 16 + 24, "<Q", get(at + 16, "<Q"))' -- "$sense"
edited 'at = note(NT_FILE)[1]; put(at + 16 + 32, "<Q", get(at + 16 + 24, "<Q") - 1)' -- "$sense"
# The same notes again and again are more than the file has
edited 'h = headers(NOTE)[0]
set_field(h, OFFSET, 0), set_field(h, FILESZ, len(core))
for other in headers(LOAD)[-2:]:
    core[other : other + 56] = core[h : h + 56]' -- "$sense"

# More than is followed: segments, whose number stands in the first section; mapped files.
endless='it lists more than 1048576 segments or mapped files'
edited 'put(56, "<H", 0xffff); put(get(40, "<Q") + 44, "<I", (1 << 20) + 1)' -- "$endless"
edited 'put(56, "<H", 0xffff); put(get(40, "<Q") + 44, "<I", 1 << 20)' -- \
    'it is cut off: not all that it lists is there'
cp --sparse=always core large
truncate -s +32M large
mv core small
mv large core
edited 'count, at, h = (1 << 20) + 1, len(core) - (32 << 20), headers(NOTE)[0]
set_field(h, OFFSET, at), set_field(h, FILESZ, 36 + count * 25)
put(at, "<III8sQQ", 5, 16 + count * 25, NT_FILE, b"CORE", count, 4096)' -- "$endless"
mv small core

# Memory that was left out: of the library's data, of hakmem's records, of everything.
out='memory that would tell was left out of it \(coredump_filter\)'
edited 'set_field(holder(view()), FILESZ, 0)' -- "$out"
edited 'for h in headers(LOAD):
    set_field(h, FILESZ, 0)' -- "$out"
edited 'for h in headers(LOAD):
    if field(h, FLAGS) == 6 and field(h, FILESZ) > 1 << 20:
        set_field(h, FILESZ, 0)' -- "$out"

# Another version; a library that is gone, and one that is another build.
edited 'put(view() + 8, "<I", 99)' -- 'it is of another version than this command'
edited 'put(view() + 12, "<I", get(view() + 12, "<I") + 8)' -- 'it is of another version than this command'
mv libcopy.so away.so
cannot core "it takes $work/libcopy.so, which is gone"
id=$(readelf -n away.so | sed -n 's/.*Build ID: //p')
python3 - "$id" <<'PY'
import sys
data, build_id = open("away.so", "rb").read(), bytes.fromhex(sys.argv[1])
assert data.count(build_id) == 1
open("libcopy.so", "wb").write(data.replace(build_id, build_id[::-1]))
PY
cannot core "it takes $work/libcopy.so, which is another build now"

# What is no file is not even opened: that may be all that a device needs. Who opens what it is told is seen.
compile opened <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **arguments) {
    char events[4096];
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), status;
    if (inotify_add_watch(watch, arguments[1], IN_OPEN) < 0)
        return 99;
    if (fork() == 0)
        exit(execv(arguments[2], arguments + 2));
    wait(&status);
    if (read(watch, events, sizeof events) > 0)
        puts("opened");
    return WEXITSTATUS(status);
}
C
expect 2 "$work/opened" libcopy.so "$TEST_CLI" stat core
out_has '^opened$'
rm libcopy.so
mkfifo libcopy.so
cannot core "it takes $work/libcopy.so, which cannot be read"
expect 2 "$work/opened" libcopy.so "$TEST_CLI" stat core
out_is_empty
rm libcopy.so
mv away.so libcopy.so
expect 0 "$TEST_CLI" stat core

# Whoever wrote the core does not write on the terminal.
edited 'rename(b"libcopy.so", b"l\x1b[2J\n\x7f\x9b.s")' -- "it takes $work/l\?\[2J\?\?\?\.s, which is gone"
cp --sparse=always core bad
"$source_dir/test/support/core_edit.py" bad \
    'at = note(NT_PRPSINFO)[1] + 56; core[at : at + 10] = b"k\x1b[2J\n\x7f\x9b.s"'
expect 0 "$TEST_CLI" explain bad
out_has '^[0-9]+  k \[2J \?\?\.s'
! LC_ALL=C grep -q '[^ -~]' "$work/out" || fail "not printable"

# A program that dies may have written over free blocks, and over hakmem's lists of them. What such a list says is no
# block is none: memory that nobody was to look at, here that of the stack, which was left out, is not missed.
cp --sparse=always core bad
"$source_dir/test/support/core_edit.py" bad '
at = note(NT_AUXV)[1]
while get(at, "<Q") != AT_RANDOM:
    at += 16
stack = get(at + 8, "<Q")
set_field(holder(place(stack)), FILESZ, 0)
records, at, size, changed = 0, get(view() + 32, "<Q"), get(view() + 16, "<I"), 0
while at:
    records += 1
    for c in range(1, 105):
        top, room = get(place(at + c * 16), "<Q"), get(place(at + c * 16 + 12), "<i")
        base = get(place(at + size - (105 - c) * 64), "<Q")
        assert room == 0 or 0 <= top - base <= room * 8
        for cell in range(base, top, 8) if room else ():
            block = get(place(cell), "<Q")
            put(place(block), "<Q", stack & -16)
            put(place(cell), "<Q", (stack & -16, stack | 1, block + 1, 1 << 63)[changed % 4])
            changed += 1
    at = get(place(at + 105 * 16 + 24), "<Q")
assert records >= 2 and changed > 10, (records, changed)
'
expect 0 "$TEST_CLI" explain bad
expect 0 "$TEST_CLI" stat bad

# Lists are no longer than a list can be, and lie where they lie. Records that lead in circles hold no more than the
# file, though headers make it seem as if there were much more memory. The limits on the command's own are in KiB.
cp --sparse=always core bad
"$source_dir/test/support/core_edit.py" bad '
record, changed = get(view() + 32, "<Q"), 0
flow = record + get(view() + 16, "<I") - 105 * 64
for c in range(1, 105):
    slot, room = place(record + c * 16), get(place(record + c * 16 + 12), "<i")
    if room:
        put(slot + 12, "<i", (1 << 31) - 1)
        put(slot, "<Q", get(slot, "<Q") + (0, 8 << 24, 8 << 30, 1 << 62)[c % 4])
        if c % 3 == 0:
            put(place(flow + c * 64), "<Q", get(slot, "<Q") - (8 << 26))
        changed += 1
assert changed > 2, changed
'
limited() { (ulimit -v "$1" && shift && exec "$@"); }
expect 0 limited 65536 "$TEST_CLI" explain bad
"$source_dir/test/support/core_edit.py" bad '
record, moved = get(view() + 32, "<Q"), 0
put(place(record + 105 * 16 + 24), "<Q", record)
large = max(headers(LOAD), key=lambda h: field(h, FILESZ))
for h in headers(LOAD):
    if field(h, FLAGS) & 2 == 0 and get(field(h, OFFSET), "<I") != 0x464C457F:
        moved += 1
        for which in (OFFSET, FILESZ, MEMSZ):
            set_field(h, which, field(large, which))
        set_field(h, VADDR, (1 << 50) + (moved << 40))
assert moved >= 8, moved
'
expect 2 limited 393216 "$TEST_CLI" explain bad
err_has '^hakmem: cannot explain core file bad: its records cannot be read$'

# Programs without hakmem: that run on libc, and static ones.
none() { refused 1 "$1" "the process of core file $1 did not run on hakmem"; }
start "$work/ready" "$work/keeper" "$work/ready"
dump libc.core
stop
none libc.core
# ... but may have, for all that is known, where a file that would tell is another one.
cp --sparse=always libc.core bad
"$source_dir/test/support/core_edit.py" bad 'rename(b"/libc.so.6", b"/libx.so.6")'
cannot bad 'it takes /[^ ]*/libx\.so\.6, which is gone'
compile_keeper -static
start "$work/ready" "$work/keeper" "$work/ready"
dump static.core
stop
none static.core
