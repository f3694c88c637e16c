"""What threads do to each other, counted: `hakmem bench contention`.

Purpose.     Locks, atomic operations and cache lines of others per million pairs at 2 to 256 threads, from hakmem's
             debug counters, and what they have to stay below. Speed on more processors than a machine has cannot be
             timed; how often threads meet can be counted on any.
Design.      Every thread does the same work whatever their number, so what a thread costs once is the same share in
             every row. hakmem has the heaps of a machine with 64 processors. What a bound is set for follows from what
             the workload does, up to a few percent; what depends on who runs when is shown and not judged.
Not here.    What the counters are (doc/STATS.md).
"""
import statistics

from . import Refused, UsageError
from .rows import MicroRow, micro_entries

THREADS = (2, 8, 64, 256)
HEAPS = {"HAKMEM_HEAPS": "32"}  # one for two processors
REPEATS = 5
# workload: size, threads besides THREADS' one, pairs of each thread
WORKLOADS = {"scaling": (None, 0, 100_000), "larson": (1024, 0, 100_000), "prodcons": (None, 0, 20_000),
             "ring": (None, 0, 20_000), "asymmetric": (64, 1, 20_000)}

# Per million pairs, at any number of threads: what, the most, why.
BOUNDS = (("locks", 31_250, "a lock in 32 pairs"),
          ("atomics", 78_125, "two and a half atomic operations for each of these locks"),
          ("lock_arena", 7_812, "the one lock that all share in 128 pairs"))
GROWTH, FEW = 1.25, 3_125  # of the locks, from the fewest threads to the most, unless there are fewer than that
COLUMNS = {"locks": "locks", "lock_threads": "list", "lock_heap": "heap", "lock_arena": "arena", "atomics": "atomics",
           "taken_over": "others' blocks", "contended": "contended", "try_failed": "tried in vain",
           "moved": "lock moved", "futex_waits": "slept"}

# For the look ahead.
CORES, HOLD_NS = 64, 200


def rows(micro, names):
    """(row, number of threads) of the workloads named, of all if none is."""
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        raise UsageError(f"contention does not count '{unknown[0]}': {' '.join(WORKLOADS)}")
    entries = {entry["name"]: entry for entry in micro_entries(micro)}
    for name in names or WORKLOADS:
        size, less, each = WORKLOADS[name]
        for threads in THREADS:
            row = MicroRow(micro, entries[name], size, threads - less)
            row.work = each * threads
            yield row, threads


def measure(starter, micro, names, hakmem):
    """[{workload, threads, ns, counters: {name: per million pairs, of each run}}]."""
    found = []
    for row, threads in rows(micro, names):
        samples = [starter.run(row, hakmem, row.work) for _ in range(REPEATS)]
        if any("counters" not in sample for sample in samples):
            raise Refused("this hakmem has no debug counters: it was built with HAKMEM_ENABLE_STATS=OFF")
        found.append({"workload": row.workload, "threads": threads, "pairs": samples[0]["work"],
                      "ns": [sample["ns"] for sample in samples],
                      "counters": {name: [round(s["counters"][name] * 1e6 / s["work"], 1) for s in samples]
                                   for name in COLUMNS}})
    return found


def median(line, name):
    return statistics.median(line["counters"][name])


def by_workload(found):
    return {name: [line for line in found if line["workload"] == name]
            for name in dict.fromkeys(line["workload"] for line in found)}


def judge(found):
    """[(sentence, reached)]"""
    verdicts = []
    for workload, lines in by_workload(found).items():
        for name, most, why in BOUNDS:
            worst = max(lines, key=lambda line, name=name: max(line["counters"][name]))
            value = max(worst["counters"][name])
            verdicts.append((f"{workload}: {name} {value:,.0f} in a million pairs ({worst['threads']} threads); at "
                             f"most {most:,}, {why}", value <= most))
        few, many = median(lines[0], "locks"), median(lines[-1], "locks")
        verdicts.append((f"{workload}: {many:,.0f} locks at {lines[-1]['threads']} threads, {few:,.0f} at "
                         f"{lines[0]['threads']}; at most {GROWTH} times as many, or {FEW:,}",
                         many <= max(few * GROWTH, FEW)))
    return verdicts


def cell(values):
    low, high, middle = min(values), max(values), statistics.median(values)
    return f"{middle:,.0f}" + (f" [{low:,.0f}, {high:,.0f}]" if high - low > max(1, middle / 100) else "")


def count_lines(found):
    return [[workload if line is lines[0] else "", f"{line['threads']}",
             *(cell(line["counters"][name]) for name in COLUMNS)]
            for workload, lines in by_workload(found).items() for line in lines]


def ahead_lines(found):
    """Per workload: how much of the time CORES processors would keep the arena's lock, and where it would be all."""
    lines = []
    for workload, those in by_workload(found).items():
        arena = max(median(line, "lock_arena") for line in those) / 1e6
        pair_ns = min(those[0]["ns"]) * min(those[0]["threads"], 2)
        busy = CORES * arena * HOLD_NS / pair_ns
        lines.append([workload, f"{pair_ns:.0f} ns", f"{arena * 1e6:,.0f}", f"{busy:.0%}",
                      f"{CORES / busy:,.0f}" if busy else "-"])
    return lines


AHEAD = (
    f"Assumed is that whoever takes the arena's lock keeps it for {HOLD_NS} ns, the way of its cache lines from "
    "another processor included; the time of a pair on one processor is the least of the row with 2 threads. Heaps "
    "grow in number with the processors, so their locks are as busy on many as on few: what a pair takes of them "
    "does not depend on the number of threads. The arena is one for all: where the last column is below the number "
    "of processors, it is what the workload waits for.")
SCHEDULING = (
    "Median [least, most] of the runs. Locks and others' blocks follow from the workload up to a few percent, but for "
    "the births of threads: one that starts when another has ended goes on with its caches. Contended, tried in vain, "
    "lock moved and slept depend on who runs when: on fewer processors than threads they are lower than on enough; "
    "contended and moved are never above the locks. Others' blocks are what refills got of a transfer cache in which "
    "another thread had put some last: the program finds their lines where that thread had used them. 'Lock moved' is "
    "the same of the line that holds a lock.")
