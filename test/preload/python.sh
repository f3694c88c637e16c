#!/bin/bash
# python3: four modules of its own test suite, every object from malloc; and a program with threads and big buffers.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require python3
python3 -c 'import test.test_json' 2>/dev/null || {
    echo "not installed: python3's test modules (tools/bootstrap test installs them)" >&2
    exit 77
}
export PYTHONMALLOC=malloc PYTHONHASHSEED=0

# Both at the same time, since most of it is waiting.
modules=(test_json test_dict test_list test_threading)
run_dir=$work/aside on_libc suite python3 -m test -v "${modules[@]}" &
on_hakmem suite python3 -m test -v "${modules[@]}"
wait $!
ok suite

# The verdict on every single test, in order; the rest are times and process ids.
for side in libc hakmem; do
    sed -nE 's/^.*(test_[a-zA-Z0-9_]+ \([^)]*\)).* \.\.\. (ok|skipped.*|FAIL|ERROR|expected failure)$/\1 \2/p
        s/^(All [0-9]+ tests OK\.)$/\1/p' "$work/suite.$side.out" "$work/suite.$side.err" | sort >"$work/$side.verdicts"
done
diff -u "$work/libc.verdicts" "$work/hakmem.verdicts" >&2 || fail "verdicts differ from libc"
grep -qx 'All 4 tests OK.' "$work/hakmem.verdicts" || fail "the tests of python3 did not pass"
count=$(wc -l <"$work/hakmem.verdicts")
[ "$count" -gt 300 ] || fail "only $count tests ran"
echo "suite: $count verdicts, equal on libc and hakmem"

cat >"$work/program.py" <<'PY'
import collections, hashlib, json, queue, re, threading, zlib

def work(seed, results):
    state, rows = seed, []
    for i in range(6000):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        rows.append({"id": i, "key": "%x" % state, "list": list(range(state % 20)), "text": "x" * (state % 300)})
    text = json.dumps(rows)
    assert json.loads(text) == rows
    words = collections.Counter(re.findall(r"[0-9a-f]{3}", text))
    packed = zlib.compress(text.encode(), 6)
    assert zlib.decompress(packed).decode() == text
    results.put((seed, hashlib.sha256(text.encode()).hexdigest(), words.most_common(3)))

results = queue.Queue()
for round in range(3):
    threads = [threading.Thread(target=work, args=(round * 10 + i, results)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
print(sorted(results.queue))
buffers = []
for i in range(40):
    buffers.append(bytearray(b"%d" % i) * (100000 + i * 12345))
    if i % 3 == 2:
        buffers[i // 2] = None
        buffers[-1].extend(b"y" * 3000000)
print(hashlib.sha256(b"".join(b for b in buffers if b)).hexdigest())
raise SystemExit(5)
PY
on_libc program python3 "$work/program.py"
on_hakmem program python3 "$work/program.py"
same program
[ "$(cat "$work/program.hakmem.status")" = 5 ] || fail "program: did not run to its end"
