#!/bin/bash
# python_limit.sh
# Purpose.     A real program under `ulimit -v` of 1 GiB: python3 starts, prints what it prints on libc, survives its
#              own MemoryError and goes on.
set -eu
python=/usr/bin/python3
[ -x "$python" ] || { echo "no $python"; exit 77; }

program='
import sys
if len(sys.argv) > 1 and "libhakmem" not in open("/proc/self/maps").read():
    sys.exit(99)
words = ["word%d" % i for i in range(200000)]
table = {word: len(word) for word in words}
kept = []
try:
    while True:
        kept.append(bytearray(10000000))
except MemoryError:
    enough = len(kept) > 40
    kept.clear()
text = "x" * 100000000
print(len(table), sum(table.values()), enough, len(text))
'
expected=$(ulimit -v 1048576; PYTHONMALLOC=malloc "$python" -c "$program")
actual=$(ulimit -v 1048576; LD_PRELOAD=$TEST_SO PYTHONMALLOC=malloc "$python" -c "$program" on-hakmem)
echo "libc: $expected, hakmem: $actual"
[ "$expected" = "$actual" ]
