#!/bin/bash
# limit_programs.sh
# Purpose.     Real programs under HAKMEM_LIMIT: python3 and perl run through under a generous limit and print what they
#              print on libc; under a narrow one python3 survives its own MemoryError and goes on. A fake control group
#              never makes an allocation fail.
set -eu
python=/usr/bin/python3
perl=/usr/bin/perl
for program in "$python" "$perl"; do
    [ -x "$program" ] || { echo "no $program"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONMALLOC=malloc

python_program='
import sys
if len(sys.argv) > 1 and "libhakmem" not in open("/proc/self/maps").read():
    sys.exit(99)
words = ["word%d" % i for i in range(100000)]
table = {word: len(word) for word in words}
refused = False
kept = []
try:
    while len(kept) < 12:
        kept.append(bytearray(10000000))
except MemoryError:
    refused = True
kept.clear()
print(len(table), sum(table.values()), len("x" * 30000000), refused)
'
perl_program='
if (@ARGV) {
    open my $maps, "<", "/proc/self/maps" or exit 99;
    grep { /libhakmem/ } <$maps> or exit 99;
}
my %table = map { ("word$_" => length "word$_") } 1 .. 100000;
my $sum = 0;
$sum += $_ for values %table;
my $text = "x" x 30000000;
print scalar(keys %table), " $sum ", length $text, "\n";
'

# compare NAME EXPECTED ACTUAL
compare() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "FAILED: $1: expected $2"; exit 1; }
}

on_libc=$("$python" -c "$python_program")
perl_on_libc=$("$perl" -e "$perl_program")
export LD_PRELOAD=$TEST_SO

compare "python3, 1 GiB" "$on_libc" "$(HAKMEM_LIMIT=soft:64M,hard:1G "$python" -c "$python_program" on-hakmem)"
compare "perl, 1 GiB" "$perl_on_libc" "$(HAKMEM_LIMIT=soft:16M,hard:1G "$perl" -e "$perl_program" on-hakmem)"
compare "python3, 100 MiB" "${on_libc/False/True}" \
    "$(HAKMEM_LIMIT=hard:100M "$python" -c "$python_program" on-hakmem)"

mkdir -p "$work/proc/self" "$work/sys/fs/cgroup"
echo 0::/ > "$work/proc/self/cgroup"
echo 50000000 > "$work/sys/fs/cgroup/memory.max"
echo "50000 100000" > "$work/sys/fs/cgroup/cpu.max"
compare "python3 in a group of 50 MB" "$on_libc" \
    "$(HAKMEM_CGROUP_ROOT=$work "$python" -c "$python_program" on-hakmem)"
