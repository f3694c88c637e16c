#!/bin/bash
# test/bench/engine_statistics.sh
# Purpose.     The statistics find what is there and nothing else: on samples made from a fixed seed, and with records
#              that must be judged "reached" and "not reached".
set -eu
cd "$SOURCE_DIR/bench"
exec python3 -B - <<'PY'
import random
import statistics

from hakbench import allocators, charts, counters, measure, stats, suites

# The exact interval is what resampling comes to.
order = random.Random(1)
for count in (11, 25):
    values = [order.gauss(0, 1) for _ in range(count)]
    medians = sorted(statistics.median(order.choices(values, k=count)) for _ in range(40000))
    low, high = stats.interval(values)
    ordered = sorted(values)
    for exact, resampled in ((low, medians[1000]), (high, medians[38999])):
        assert abs(ordered.index(exact) - ordered.index(resampled)) <= 1, (exact, resampled)
assert stats.interval([3.0] * 10) == (3.0, 3.0)

# One in twenty intervals may miss; of twenty tables of equals, one may report something. A shift of 8 % is found among
# equals, and the equals beside it are left alone.
def ratios(shift):
    return [shift * order.gauss(1, 0.03) / order.gauss(1, 0.03) for _ in range(30)]

def table(shifts):
    comparisons = [stats.compare(ratios(shift)) for shift in shifts]
    stats.settle(comparisons)
    return [c["verdict"] for c in comparisons]

missed = sum(not low <= 1 <= high for low, high in (stats.interval(ratios(1.0)) for _ in range(400)))
assert missed <= 0.08 * 400, missed
tables = sum(set(table([1.0] * 20)) != {stats.SAME} for _ in range(100))
assert tables <= 10, tables
mixed = [table([1.08] * 5 + [0.92] * 5 + [1.0] * 20) for _ in range(20)]
assert all(found[:10] == [stats.SLOWER] * 5 + [stats.FASTER] * 5 for found in mixed)
assert sum(verdict != stats.SAME for found in mixed for verdict in found[10:]) <= 0.05 * 20 * 30
assert stats.sign_test([2.0] * 10) == 2 / 1024 and stats.sign_test([1.0] * 10) == 1.0

# The pairs are those of the same round, whatever is missing.
assert stats.paired({0: 2.0, 1: 6.0, 3: 1.0}, {0: 1.0, 1: 2.0, 2: 9.0}) == [2.0, 3.0]

# Both judges can say no.
def verdicts(differing, of, verdict):
    table = {f"row {i}": {"verdict": verdict if i < differing else stats.SAME} for i in range(of)}
    return suites.judge_aa(table)[0][1], suites.judge_slowed(table)[0][1]

assert verdicts(0, 20, stats.SLOWER) == (True, False)
assert verdicts(1, 20, stats.SLOWER) == (True, False)
assert verdicts(2, 20, stats.FASTER) == (False, False)
assert verdicts(20, 20, stats.SLOWER) == (False, True)
assert verdicts(19, 20, stats.SLOWER) == (False, False)
assert suites.judge_slowed({"row": None}) == [("the slowed copy is found slower in 0 of 1 rows; not in row", False)]

# A latency run does what the far percentiles need, less where that takes long, never less than the timed run.
assert [measure.latency_work(*given) for given in ((1000, 5.0), (1000, 1e5), (8, 5e6), (400, 5e6), (400_000, 5.0))] \
    == [200_000, 10_000, 200, 400, 400_000]

# A record says of what is built here where every clone has it, and of the rest where it lies.
assert [allocators.Allocator("a", path).describe()["path"]
        for path in (allocators.ROOT + "/build/a.so", "/opt/a.so", None)] == ["build/a.so", "/opt/a.so", None]

# A chart tells who was refused, who was not measured, and who was and has nothing to be compared with.
drawn = charts.ratio_plot(
    [{"title": "whole", "refused": {}, "allocators": {"a": {"ratio": stats.compare([1.0] * 10)}}},
     {"title": "part", "refused": {"b": "why"}, "allocators": {"a": {"ratio": None}}}],
    "libc", ["a", "b", "c"], dict.fromkeys("abc", "s1"))
for words in ("a: no libc to compare with", "b: refused", "c: not measured"):
    assert words in drawn, words

# The kernel's counters, with an event that every kernel has: page faults of a child, from its exec on.
faults = {"faults": (1, 2)}
if counters.offered(faults)[0]:
    found, out = counters.count_run(["sh", "-c", "echo $PPID"], {"PATH": "/bin:/usr/bin"}, {0}, faults)
    assert out.strip().isdigit() and found["faults"] > 10, found
assert counters.offered({"nonsense": (77, 0)}) == ({}, {"nonsense": "No such file or directory"})
print("statistics as they should be")
PY
