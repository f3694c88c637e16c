#!/bin/bash
# test/bench/engine_contention.sh
# Purpose.     `hakmem bench contention` counts at every number of threads, shows its record again, refuses a hakmem
#              that does not count, and judges: each bound can be reached and missed.
# timeout: 120
. "$SOURCE_DIR/test/cli/support.bash"

# The bounds are not the test's subject: the status is 0 or 1.
status=0
"$TEST_CLI" bench --record "$work/record" contention asymmetric >"$work/out" 2>"$work/err" || status=$?
[ "$status" -le 1 ] || fail "exit status $status"
for threads in 2 8 64 256; do
    out_has "^(asymmetric)? +$threads( +[0-9,]+( \[[0-9,]+, [0-9,]+\])?){10}\$"
done
out_has 'asymmetric: locks [0-9,]+ in a million pairs'
out_has '^What that comes to on 64 processors'
cp "$work/out" "$work/first"
again=0
"$TEST_CLI" bench --from "$work/record" >"$work/out" 2>"$work/err" || again=$?
[ "$again" = "$status" ] || fail "exit status $again from the record, $status before"
cmp -s "$work/out" "$work/first" || fail "the record shows something else"

cd "$SOURCE_DIR/bench"
exec python3 -B - <<'PY'
from hakbench import Refused, contention

def lines(few=10.0, many=10.0, **at_64):
    changes = {2: {"locks": [few]}, 64: at_64, 256: {"locks": [many]}}
    return [{"workload": "w", "threads": threads, "ns": [50.0],
             "counters": dict.fromkeys(contention.COLUMNS, [10.0] * 3) | changes.get(threads, {})}
            for threads in contention.THREADS]

def missed(found):
    return [sentence for sentence, reached in contention.judge(found) if not reached]

assert missed(lines()) == [], missed(lines())
for name, most, _ in contention.BOUNDS:
    assert missed(lines(**{name: [most] * 3})) == []
    found = missed(lines(**{name: [1.0, most + 1.0, 1.0]}))
    assert len(found) == 1 and f"w: {name} {most + 1:,}" in found[0] and "64 threads" in found[0], found
few, most = contention.FEW, contention.FEW * contention.GROWTH
assert missed(lines(many=few)) == [] == missed(lines(few=few, many=most))
assert len(missed(lines(many=few + 1))) == 1 == len(missed(lines(few=few, many=most + 1)))

class Starter:
    def run(self, row, allocator, work):
        assert allocator == "hakmem"
        return {"ns": 1.0, "work": work}

class Entries:
    def __call__(self, micro):
        return [{"name": name, "suite": "s", "summary": "", "pairs": 1, "unit": "pair"}
                for name in contention.WORKLOADS]

contention.micro_entries = Entries()
try:
    contention.measure(Starter(), "micro", [], "hakmem")
except Refused as why:
    assert "HAKMEM_ENABLE_STATS=OFF" in str(why)
else:
    raise AssertionError("a hakmem without counters was not refused")
PY
