"""The suites that bring their own allocators, and what they have to reach.

Design.      aa      hakmem against a copy of itself: what differs there is not the allocator
             slowed  hakmem against a build with twenty instructions more per call: what is not seen there is blind
             ablate  hakmem against itself with one thing switched off, by an option or by a build (bench/variant)
             A verdict is (what, reached). An ablation has none: it is a measurement.
"""
import os
import shutil
import statistics

from . import UsageError, contention, goals, stats
from .allocators import Allocator
from .summary import SUBJECT, measured

AA_SHARE = 0.05  # of the rows may differ

# name, (library of bench/variant or None, settings), what is changed, what the seed expected of the optimisation
ABLATIONS = (
    ("nosuperslab", (None, {"HAKMEM_TINY_USE_SUPERSLAB": "0"}), "no superslabs of their own for small blocks",
     "superslabs: 20-30 % faster"),
    ("depth16", ("depth16", {}), "thread caches of 16 blocks instead of adaptive ones", "magazines of 32 "
     "instead of 16: 10-15 % faster"),
    ("depth32", ("depth32", {}), "thread caches of 32 blocks", "of 64 instead of 32: 10-15 % faster"),
    ("depth64", ("depth64", {}), "thread caches of 64 blocks", "64 is enough"),
    ("table", ("table", {}), "size class by a table instead of arithmetic", "a table: 2-3 % faster"),
    ("noinline", ("noinline", {}), "no inlined fast path", "not argued"),
    ("nostats", ("nostats", {}), "debug counters compiled to nothing", "statistics compiled out: 3-5 % faster"),
    ("thp-never", (None, {"HAKMEM_THP": "never"}), "no huge pages", "not argued"),
    ("thp-always", (None, {"HAKMEM_THP": "always"}), "huge pages from the first byte on", "not argued"),
    ("nooutbox", ("nooutbox", {}), "what passes its list is sent away at once", "not argued"),
    ("notag", ("notag", {}), "free does not look up a block's class inline", "free without a lookup of the owner: "
     "part of the superslabs' 20-30 %"),
)

JUDGES = {
    "aa": "hakmem against a copy of itself: no row should differ (rows of seed, or those named after it)",
    "slowed": "hakmem against a copy with 20 instructions more per call: every row should be slower",
    "ablate": "hakmem against itself with one optimisation switched off at a time",
    "contention": "hakmem's locks, atomic operations and cache lines of others, counted at 2 to 256 threads",
}


def twin(library, scratch):
    """A copy of the library, its name as long as the original's."""
    directory = os.path.join(scratch, "twin")
    os.makedirs(directory)
    path = os.path.join(directory, os.path.basename(library))
    shutil.copyfile(library, path)
    return Allocator("copy", path, twin=True)


def variant(name, library):
    path = os.path.join(os.path.dirname(library), "bench", f"libhakmem_{name}.so")
    if not os.path.isfile(path):
        raise UsageError(f"there is no {path}: 'cmake --build build --target variants' makes it from the sources")
    return path


def opponents(judge, library, scratch):
    """What the judge measures: the first is the baseline."""
    if judge == "aa":
        return [Allocator(SUBJECT, library), twin(library, scratch)]
    if judge == "slowed":
        return [Allocator(SUBJECT, library), Allocator("slowed", variant("slowed", library))]
    return [Allocator(SUBJECT, library), *(Allocator(name, variant(file, library) if file else library, settings)
                                           for name, (file, settings), _, _ in ABLATIONS)]


def ablation_lines(summary):
    """What each ablation does, what was expected and what was measured: the median of the rows, and the extremes."""
    lines = []
    for name, _, what, expected in ABLATIONS:
        ratios = {row["title"]: cell["ratio"] for row in measured(summary)
                  if (cell := row["allocators"].get(name)) and cell["ratio"]}
        if not ratios:
            lines.append([name, what, expected, "not measured", "", "", ""])
            continue
        middle = statistics.median(ratio["median"] for ratio in ratios.values())
        worst = max(ratios, key=lambda title: ratios[title]["median"])
        differ = sum(ratio["verdict"] != stats.SAME for ratio in ratios.values())
        lines.append([name, what, expected, f"{middle - 1:+.1%}", instructions_of(summary, name),
                      f"{differ} of {len(ratios)}",
                      f"{ratios[worst]['median'] - 1:+.1%} {worst}"])
    return lines


def instructions_of(summary, name):
    """By how much a change moves the instructions, median over the rows in which they were counted."""
    changes = []
    for row in measured(summary):
        mine, whole = ((row["allocators"].get(n) or {}).get("counters") or {} for n in (name, SUBJECT))
        if mine.get("instructions") and whole.get("instructions"):
            changes.append(mine["instructions"] / whole["instructions"])
    return f"{statistics.median(changes) - 1:+.1%}" if changes else "not counted"


def judge(name, record, summary):
    """[(sentence, reached)]; nothing where there is nothing to judge."""
    if record["interrupted"]:
        return []
    if name in ("ablate", "hotspots"):
        return []
    if name == "contention":
        return contention.judge(record["contention"])
    if name in JUDGES:
        other = record["allocators"][1]["name"]
        ratios = {row["title"]: row["allocators"].get(other, {}).get("ratio") for row in summary["rows"]}
        return judge_aa(ratios) if name == "aa" else judge_slowed(ratios)
    return goals.shown_by(record, summary)


def judge_aa(ratios):
    differ = [title for title, ratio in ratios.items() if not ratio or ratio["verdict"] != stats.SAME]
    return [(f"a copy of hakmem differs from it in {len(differ)} of {len(ratios)} rows, at most {AA_SHARE:.0%} may"
             + "".join(f"; {title}" for title in differ), len(differ) <= AA_SHARE * len(ratios))]


def judge_slowed(ratios):
    unseen = [title for title, ratio in ratios.items() if not ratio or ratio["verdict"] != stats.SLOWER]
    return [(f"the slowed copy is found slower in {len(ratios) - len(unseen)} of {len(ratios)} rows"
             + "".join(f"; not in {title}" for title in unseen), not unseen)]


def report(verdicts):
    lines = [f"{'reached    ' if reached else 'NOT REACHED'}  {sentence}" for sentence, reached in verdicts]
    if len(lines) > 1:
        lines.append(f"{sum(reached for _, reached in verdicts)} of {len(verdicts)} reached")
    return lines
