"""The suites that judge: the bench itself (aa, slowed) and hakmem's goals (seed).

Design.      A judge brings the allocators it needs and ends with a list of (what, reached).
               aa      hakmem against a copy of itself: what differs there is not the allocator
               slowed  hakmem against a build with twenty instructions more per call: what is not seen there is blind
"""
import os
import shutil

from . import UsageError, stats
from .allocators import Allocator
from .summary import SUBJECT, measured

AA_SHARE = 0.05       # of the rows may differ
LEVEL = 1.03          # what still counts as equally fast
MIXED_TARGET = 0.85   # of the best of the four
THE_FOUR = ("libc", "mimalloc", "jemalloc", "tcmalloc")
SLOWED = "libhakmem_slowed.so"

JUDGES = {
    "aa": "hakmem against a copy of itself: no row should differ (rows of seed, or those named after it)",
    "slowed": "hakmem against a copy with 20 instructions more per call: every row should be slower",
}


def twin(library, scratch):
    """A copy of the library, its name as long as the original's."""
    directory = os.path.join(scratch, "twin")
    os.makedirs(directory)
    path = os.path.join(directory, os.path.basename(library))
    shutil.copyfile(library, path)
    return Allocator("copy", path, twin=True)


def slowed(library):
    path = os.path.join(os.path.dirname(library), "bench", SLOWED)
    if not os.path.isfile(path):
        raise UsageError(f"there is no {path}: 'cmake --build build --target slowed' makes it from the sources")
    return Allocator("slowed", path)


def opponents(judge, library, scratch):
    """What the judge measures: the first is the baseline."""
    other = twin(library, scratch) if judge == "aa" else slowed(library)
    return [Allocator(SUBJECT, library, twin=judge == "aa"), other]


def judge(name, record, summary):
    """[(sentence, reached)]; nothing where there is nothing to judge."""
    if record["interrupted"]:
        return []
    if name in JUDGES:
        other = record["allocators"][1]["name"]
        ratios = {row["title"]: row["allocators"].get(other, {}).get("ratio") for row in summary["rows"]}
        return judge_aa(ratios) if name == "aa" else judge_slowed(ratios)
    return judge_seed(summary)


def judge_aa(ratios):
    differ = [title for title, ratio in ratios.items() if not ratio or ratio["verdict"] != stats.SAME]
    return [(f"a copy of hakmem differs from it in {len(differ)} of {len(ratios)} rows, at most {AA_SHARE:.0%} may"
             + "".join(f"; {title}" for title in differ), len(differ) <= AA_SHARE * len(ratios))]


def judge_slowed(ratios):
    unseen = [title for title, ratio in ratios.items() if not ratio or ratio["verdict"] != stats.SLOWER]
    return [(f"the slowed copy is found slower in {len(ratios) - len(unseen)} of {len(ratios)} rows"
             + "".join(f"; not in {title}" for title in unseen), not unseen)]


def judge_seed(summary):
    """hakmem against the best of the four, in the rows that goals were set for."""
    verdicts = []
    for row in measured(summary):
        duels = {peer: duel for peer, duel in row["duels"].items() if peer in THE_FOUR}
        if row["suite"] != "seed" or len(duels) < len(THE_FOUR):
            continue
        limit = MIXED_TARGET if row["workload"] == "mixed" else LEVEL
        peer = max(duels, key=lambda name: duels[name]["median"])
        ratio = duels[peer]
        verdicts.append((f"{row['title']}: {ratio['median']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}] of {peer}, "
                         f"the best of the four; at most {limit:.2f}", ratio["median"] <= limit))
    return verdicts


def report(verdicts):
    lines = [f"{'reached    ' if reached else 'NOT REACHED'}  {sentence}" for sentence, reached in verdicts]
    if len(lines) > 1:
        lines.append(f"{sum(reached for _, reached in verdicts)} of {len(verdicts)} reached")
    return lines
