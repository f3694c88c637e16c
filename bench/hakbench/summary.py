"""What a record says, row by row.

Purpose.     Medians with their intervals, ratios to the baseline and of the subject to each other allocator, verdicts.
             The subject's duels are of time, and of peak resident memory.
Design.      The subject is hakmem where it was measured: its losses are listed whatever the baseline is. A cell whose
             row was refused to its allocator has no numbers here, only the reason; its samples stay in the record.
"""
import statistics

from . import record as book, stats

PLAIN = ("wall_ns", "user_us", "system_us", "peak_kib", "mean_kib", "minor_faults", "major_faults")
PERCENTILES = ("p50", "p99", "p99.9", "p99.99", "max")
SUBJECT = "hakmem"
DUELS = {"duels": "ns", "memory_duels": "peak_kib"}


def by_round(cell, column):
    return dict(zip(cell["round"], cell[column]))


def latency_of(cell):
    """Medians of each percentile over the runs of the pass, or None."""
    if not cell["latency"]:
        return None
    found = {call: {p: statistics.median(run[call][p] for run in cell["latency"]) for p in PERCENTILES}
             for call in ("malloc", "free") if call in cell["latency"][0]}
    found["clock_ns"] = statistics.median(run["clock_ns"] for run in cell["latency"])
    middle = sorted(cell["latency"], key=lambda run: run.get("malloc", run["free"])["p99.9"])
    found["curve"] = middle[len(middle) // 2]["curve"]
    return found


def cell_of(cell, unit):
    found = {name: statistics.median(cell[name]) for name in PLAIN}
    found.update(ns=stats.describe(cell["ns"]), runs=len(cell["ns"]), latency=latency_of(cell), proved=cell["proved"],
                 rss=cell["rss"], counters=cell.get("counters"))
    if found["ns"]["median"] > 0:
        found["per_second"] = 1e9 / found["ns"]["median"]
    found["moments"] = {moment: statistics.median(kib) for moment, kib in cell["moments"].items()}
    found["unit"] = unit
    return found


def ratio(cells, mine, other, column="ns"):
    """Of two allocators, or None where they share no round."""
    if mine not in cells or other not in cells:
        return None
    ratios = stats.paired(by_round(cells[mine], column), by_round(cells[other], column))
    return stats.compare(ratios) if ratios else None


def row_of(record, row):
    cells = {n: c for n, c in row["cells"].items() if c["ns"] and not book.is_refused(record, row["id"], n)}
    baseline = record["options"]["baseline"]
    found = {key: row[key] for key in ("id", "title", "suite", "workload", "size", "threads", "unit", "operations",
                                      "summary")}
    found["allocators"] = {a["name"]: cell_of(cells[a["name"]], row["unit"]) for a in record["allocators"]
                           if a["name"] in cells}
    found["refused"] = {r["allocator"]: r["why"] for r in record["refused"] if r["row"] == row["id"]}
    for name, cell in found["allocators"].items():
        cell["ratio"] = ratio(cells, name, baseline) if name != baseline else None
    for kind, column in DUELS.items():
        found[kind] = {name: duel for name in found["allocators"] if name != SUBJECT
                       if (duel := ratio(cells, SUBJECT, name, column))}
    return found


def summarize(record):
    rows = [row_of(record, row) for row in record["rows"]]
    ratios = [cell["ratio"] for row in rows for cell in row["allocators"].values() if cell["ratio"]]
    stats.settle(ratios)
    for kind in DUELS:
        stats.settle([duel for row in rows for duel in row[kind].values()])
    return {"comparisons": len(ratios), "rows": rows}


def measured(summary):
    """Rows that at least one allocator was measured in."""
    return [row for row in summary["rows"] if row["allocators"]]


def standings(summary, kind="duels"):
    """{peer: {verdict: [(row, ratio)]}} of the subject against each; `kind` is one of DUELS."""
    found = {}
    for row in summary["rows"]:
        for peer, duel in row[kind].items():
            found.setdefault(peer, {v: [] for v in (stats.FASTER, stats.SAME, stats.SLOWER)})
            found[peer][duel["verdict"]].append((row, duel))
    return found
