"""The readable report.

Design.      Sections of one kind of number each, then who was refused and what is missing, and last, where the eye
             stays, the ratios of all rows and how hakmem stands. What was not measured is named, never left out.
"""
from . import stats
from .counters import EVENTS
from .summary import PERCENTILES, SUBJECT, measured, standings

SIGNS = {stats.FASTER: "faster", stats.SLOWER: "SLOWER", stats.SAME: "no difference"}


def duration(ns):
    for unit, factor, most in (("ns", 1, 1e4), ("us", 1e3, 1e4), ("ms", 1e6, 1e4), ("s", 1e9, float("inf"))):
        if ns < most * factor:
            return f"{ns / factor:.{2 if ns < 100 * factor else 1 if ns < 1000 * factor else 0}f} {unit}"
    return ""


def count(value):
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor * 10:
            return f"{value / factor:.1f} {unit}"
    return f"{value:.4g}"


def mebibytes(kib):
    return f"{kib / 1024:.1f}"


def spread(ratio):
    return f"{ratio['median']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]"


def aligned(head, lines, left=2):
    """Columns as wide as they have to be; the first `left` are text."""
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    return ["  ".join(f"{word:<{w}}" if i < left else f"{word:>{w}}" for i, (word, w) in enumerate(zip(line, widths)))
            .rstrip() for line in [head, *lines]]


def section(title, head, rows, cells_of, left=2):
    """`cells_of(row, allocator's cell, name)`: the columns after row and allocator, or None to leave the line out."""
    lines = []
    for row in rows:
        title_left = row["title"]
        for name, cell in row["allocators"].items():
            words = cells_of(row, cell, name)
            if words:
                lines.append([title_left, name, *words])
                title_left = ""
    return ["", title, *aligned(["row", "allocator", *head], lines, left)] if lines else []


def time_section(record, rows):
    baseline = record["options"]["baseline"]

    def cells(row, cell, name):
        against = cell["ratio"]
        words = ("baseline", "") if name == baseline else (spread(against), SIGNS[against["verdict"]]) if against else (
            "no baseline", "")
        return [f"{duration(cell['ns']['median'])}", f"[{duration(cell['ns']['low'])}, {duration(cell['ns']['high'])}]",
                count(cell["per_second"]), *words, f"{row['work'] or 1:,}", str(cell["runs"])]

    return section(f"Time per operation: median and 95 % interval; ratio to {baseline}, below 1 is faster",
                   ["time", "95 %", "1/s", f"ratio to {baseline} [95 %]", "", "operations", "runs"], rows, cells)


def memory_section(rows):
    def cells(_row, cell, _name):
        return [mebibytes(cell["peak_kib"]), mebibytes(cell["mean_kib"]),
                mebibytes(cell["rss_kib_after"]) if "rss_kib_after" in cell else "-",
                f"{cell['minor_faults']:.0f}", f"{cell['major_faults']:.0f}", f"{cell['user_us'] / 1000:.1f}",
                f"{cell['system_us'] / 1000:.1f}"]

    return section("Memory and kernel, per run: resident MiB, page faults, ms", ["peak", "mean", "after", "minor",
                   "major", "user", "system"], rows, cells)


def latency_section(rows):
    def cells(_row, cell, _name):
        if not cell["latency"]:
            return None
        return [f"{cell['latency'][call][p]:.0f}" if call in cell["latency"] else "-"
                for call in ("malloc", "free") for p in PERCENTILES]

    clocks = [c["latency"]["clock_ns"] for r in rows for c in r["allocators"].values() if c["latency"]]
    if not clocks:
        return ["", "Latency: not measured (--no-latency, or only whole programs were run)"]
    return section(f"Latency of single calls in ns, a separate pass; reading the clock costs {min(clocks):.0f} of them",
                   [f"{call} {p}" for call in ("malloc", "free") for p in PERCENTILES], rows, cells)


def counter_section(record, rows):
    def cells(_row, cell, _name):
        found = cell["counters"] or cell["instructions"]
        return [f"{found[event]:.2f}" if found.get(event) is not None else "-" for event in EVENTS] if found else None

    note = record.get("counters_note", "not measured")
    return section(f"Events per operation ({note})", list(EVENTS), rows, cells) or [
        "", f"Instructions, cycles, IPC, branch, L1, LLC and TLB misses: missing ({note})"]


def matrix_section(record, rows):
    baseline = record["options"]["baseline"]
    names = [a["name"] for a in record["allocators"] if a["name"] != baseline]

    def words(row, name):
        cell = row["allocators"].get(name)
        if not cell:
            return "refused" if name in row["refused"] else "-"
        if not cell["ratio"]:
            return "-"
        return f"{cell['ratio']['median']:.2f}{'  ' if cell['ratio']['verdict'] != stats.SAME else ' ='}"

    lines = [[row["title"], *(words(row, name) for name in names)] for row in rows]
    return ["", f"Time as a ratio to {baseline}, below 1 is faster; = is no difference",
            *aligned(["row", *names], lines, 1)] if names else []


def standing_section(summary):
    lines = []
    for peer, by_verdict in standings(summary).items():
        lines.append([f"{SUBJECT} against {peer}:", *(f"{len(by_verdict[v])} {SIGNS[v]}" for v in SIGNS)])
    lost = [[row["title"], peer, spread(duel)] for peer, by_verdict in standings(summary).items()
            for row, duel in by_verdict[stats.SLOWER]]
    text = ["", *aligned(lines[0], lines[1:], 1)] if lines else []
    if lost:
        text += ["", f"Losses: {SUBJECT} is slower than", *aligned(["row", "allocator", "ratio [95 %]"], lost)]
    return text


def refusal_section(record):
    reasons = {}
    for refusal in record["refused"]:
        reasons.setdefault((refusal["allocator"], refusal["why"]), []).append(refusal["row"])
    everywhere = len(record["rows"])
    lines = [f"refused: {name}: {why} ({'every row' if len(rows) == everywhere else ', '.join(rows)})"
             for (name, why), rows in reasons.items()]
    lines += [f"missing: {name}: {why}" for name, why in record["missing"].items()]
    return ["", *lines] if lines else []


def machine_lines(record):
    m = record["machine"]
    lines = [f"{m['cpu']}, {m['processors']} processors (virtual machine: {m['virtual']}), governor {m['governor']}, "
             f"boost {m['boost']}, huge pages {m['thp']}",
             f"{m['system']}, Linux {m['kernel']}, {m['libc']}, memory {m['memory']}; cpus {m['pinned']}, seed "
             f"{record['options']['seed']}"]
    return lines + aligned(["allocator", "version", "build id"],
                           [[a["name"], a["version"] or "-", a["build_id"] or "none"] for a in record["allocators"]])


def report(record, summary):
    rows = measured(summary)
    text = machine_lines(record)
    text += time_section(record, rows) + memory_section(rows) + latency_section(rows) + counter_section(record, rows)
    text += refusal_section(record) + matrix_section(record, rows) + standing_section(summary)
    proved = sum(sum(c["proved"] for c in row["cells"].values()) for row in record["rows"])
    text += ["", f"Proved by hakmem verify: who served each of {proved:,} processes of the timed runs. A difference is "
             f"reported if it holds for all {summary['comparisons']} comparisons together at 95 %."]
    if record["interrupted"]:
        text += ["Interrupted: some rows have fewer runs, or none."]
    return "\n".join(text)
