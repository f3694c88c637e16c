"""The report as sections, and as text.

Design.      A section is one kind of number of every row and allocator; page.py shows the same sections. Who was
             refused and what is missing follow, and last, where the eye stays, the ratios of all rows and how hakmem
             stands. What was not measured is named, never left out.
"""
from . import contention, stats, suites
from .counters import EVENTS
from .summary import PERCENTILES, SUBJECT, measured, standings

NONE = "none"
SIGNS = {stats.FASTER: "faster", stats.SAME: "no difference", stats.SLOWER: "SLOWER"}


class Section:
    """`left` columns are text. `note` stands where there are no lines, or below them."""

    def __init__(self, key, title, head=(), lines=(), left=2, note=""):
        self.key, self.title, self.head, self.lines, self.left, self.note = key, title, head, lines, left, note

    def text(self):
        if not self.lines:
            return [f"{self.title}: {self.note}"] if self.note else []
        widths = [max(len(line[i]) for line in [self.head, *self.lines]) for i in range(len(self.head))]
        shown = ["  ".join(f"{word:<{w}}" if i < self.left else f"{word:>{w}}"
                           for i, (word, w) in enumerate(zip(line, widths))).rstrip()
                 for line in [self.head, *self.lines]]
        return [self.title, *shown, *([self.note] if self.note and self.note != NONE else [])]


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


def by_cell(rows, cells_of):
    """Lines of row, allocator and what `cells_of(row, cell, name)` has for them; None leaves the line out."""
    lines = []
    for row in rows:
        title = row["title"]
        for name, cell in row["allocators"].items():
            words = cells_of(row, cell, name)
            if words:
                lines.append([title, name, *words])
                title = ""
    return lines


def time_section(record, rows):
    baseline = record["options"]["baseline"]

    def cells(row, cell, name):
        against = cell["ratio"]
        words = ("baseline", "") if name == baseline else (spread(against), SIGNS[against["verdict"]]) if against else (
            "no baseline", "")
        return [duration(cell["ns"]["median"]), f"[{duration(cell['ns']['low'])}, {duration(cell['ns']['high'])}]",
                count(cell["per_second"]), *words, f"{row['operations']:,}", str(cell["runs"])]

    return Section("time", f"Time per operation: median and 95 % interval; ratio to {baseline}, below 1 is faster",
                   ["row", "allocator", "time", "95 %", "1/s", f"ratio to {baseline} [95 %]", "", "operations", "runs"],
                   by_cell(rows, cells))


def memory_section(rows):
    def cells(_row, cell, _name):
        return [mebibytes(cell["peak_kib"]), mebibytes(cell["mean_kib"]),
                mebibytes(cell["moments"]["after"]) if "after" in cell["moments"] else "-",
                f"{cell['minor_faults']:.0f}", f"{cell['major_faults']:.0f}", f"{cell['user_us'] / 1000:.1f}",
                f"{cell['system_us'] / 1000:.1f}"]

    return Section("memory", "Memory and kernel, per run: resident MiB, page faults, ms", [
        "row", "allocator", "peak", "mean", "after", "minor", "major", "user", "system"], by_cell(rows, cells))


def moment_section(rows):
    """What a workload says of its memory at points of its own."""
    def cells(_row, cell, _name):
        moments = [f"{moment.replace('_', ' ')} {mebibytes(kib)}" for moment, kib in cell["moments"].items()
                   if moment != "after"]
        return [", ".join(moments)] if moments else None

    return Section("moments", "Resident MiB at points of the workload", ["row", "allocator", ""],
                   by_cell(rows, cells), left=3)


def latency_section(rows):
    def cells(_row, cell, _name):
        if not cell["latency"]:
            return None
        return [f"{cell['latency'][call][p]:,.0f}" if call in cell["latency"] else "-"
                for call in ("malloc", "free") for p in PERCENTILES]

    clocks = [c["latency"]["clock_ns"] for r in rows for c in r["allocators"].values() if c["latency"]]
    if not clocks:
        return Section("latency", "Latency of single calls", note="not measured (left out, or whole programs)")
    return Section("latency", f"Latency of single calls in ns, from a separate pass; reading the clock costs "
                   f"{min(clocks):.0f} ns of each", ["row", "allocator", *(f"{call} {p}" for call in ("malloc", "free")
                   for p in PERCENTILES)], by_cell(rows, cells))


def counter_section(record, rows):
    def cells(_row, cell, _name):
        found = cell["counters"]
        return [f"{found[event]:.3g}" if found.get(event) is not None else "-" for event in EVENTS] if found else None

    title = "Instructions, cycles, instructions per cycle, and misses, per operation"
    return Section("counters", title, ["row", "allocator", *EVENTS], by_cell(rows, cells),
                   note=record["counters_note"])


def matrix_section(record, rows):
    baseline = record["options"]["baseline"]
    names = [a["name"] for a in record["allocators"] if a["name"] != baseline]

    def word(row, name):
        ratio = row["allocators"].get(name, {}).get("ratio")
        if not ratio:
            return "refused" if name in row["refused"] else "-"
        return f"{ratio['median']:.2f} {'=' if ratio['verdict'] == stats.SAME else ' '}"

    return Section("matrix", f"Time as a ratio to {baseline}, below 1 is faster; = is no difference",
                   ["row", *names], [[row["title"], *(word(row, name) for name in names)] for row in rows]
                   if names else [], left=1)


def standing_sections(summary):
    """How hakmem stands, then every row that it loses, then every row that it wins."""
    found, memory = standings(summary), standings(summary, "memory_duels")
    lines = [[peer, *(str(len(by_verdict[v])) for v in SIGNS), str(len(memory[peer][stats.FASTER])),
              str(len(memory[peer][stats.SLOWER]))] for peer, by_verdict in found.items()]
    yield Section("standing", f"{SUBJECT} against each of the others: rows in which it is",
                  ["", *SIGNS.values(), "smaller", "LARGER"], lines, left=1)
    lines = [[row["title"], peer, spread(duel)] for peer, by_verdict in memory.items()
             for row, duel in by_verdict[stats.SLOWER]]
    yield Section("larger", f"Memory losses: {SUBJECT}'s peak of resident memory is higher than that of",
                  ["row", "allocator", "ratio [95 %]"], lines, note=NONE if found else "")
    for verdict, word in ((stats.SLOWER, "Losses"), (stats.FASTER, "Wins")):
        lines = [[row["title"], peer, spread(duel)] for peer, by_verdict in found.items()
                 for row, duel in by_verdict[verdict]]
        yield Section(word.lower(), f"{word}: {SUBJECT} is {verdict} than", ["row", "allocator", "ratio [95 %]"], lines,
                      note=NONE if found else "")


def ablation_section(record, summary):
    lines = suites.ablation_lines(summary) if record["options"]["judge"] == "ablate" else []
    return Section("ablations", "Ablations: what each change costs, median over the rows", [
        "name", "change", "expected by the seed", "time", "instructions", "rows that differ", "most"], lines, left=3)


def hotspot_section(record):
    return Section("hotspots", "hakmem's instructions per operation, by function and by the source inlined there "
                   "(callgrind; the loop around the calls is not counted)",
                   ["row", "function", "source", "instructions", "share"], record.get("hotspots", []), left=3)


def contention_sections(record):
    found = record["contention"]
    yield Section("contention", "Per million pairs of malloc and free", ["workload", "threads",
                  *contention.COLUMNS.values()], contention.count_lines(found), left=1, note=contention.SCHEDULING)
    yield Section("ahead", f"What that comes to on {contention.CORES} processors", ["workload", "a pair takes",
                  "arena's lock per million", "busy", "processors that keep it busy all the time"],
                  contention.ahead_lines(found), left=1, note=contention.AHEAD)


def refusals(record):
    """Who was refused, where and why; who is not installed."""
    reasons = {}
    for refusal in record["refused"]:
        reasons.setdefault((refusal["allocator"], refusal["why"]), []).append(refusal["row"])
    lines = [["refused", name, "every row" if len(rows) == len(record["rows"]) else ", ".join(rows), why]
             for (name, why), rows in reasons.items()]
    lines += [["missing", name, "", why] for name, why in record["missing"].items()]
    return Section("refused", "Refused and missing", ["", "allocator", "rows", "why"], lines, left=4, note=NONE)


def allocator_section(record):
    def served(name):
        return sum(row["cells"].get(name, {}).get("proved", 0) for row in record["rows"])

    return Section("proof", "Who was measured, and in how many processes hakmem verify proved that it served them",
                   ["allocator", "version", "build id", "path", "processes"],
                   [[a["name"], a["version"] or "-", a["build_id"] or "none",
                     (a["path"] or "the C library itself") + "".join(f" {k}={v}" for k, v in a["settings"].items()),
                     f"{served(a['name']):,}"] for a in record["allocators"]], left=4)


def machine_text(record):
    m = record["machine"]
    return (f"{m['cpu']}, {m['processors']} processors (virtual machine: {m['virtual']}), governor {m['governor']}, "
            f"boost {m['boost']}, huge pages {m['thp']}, {m['system']}, Linux {m['kernel']}, {m['libc']}, memory "
            f"{m['memory']}; cpus {m['pinned']}, load before {m['load_before']}, {m['date']}, seed "
            f"{record['options']['seed']}")


def sections(record, summary):
    if "contention" in record:
        return list(contention_sections(record))
    if not record["rows"]:
        return [hotspot_section(record)]
    rows = measured(summary)
    return [allocator_section(record), time_section(record, rows), memory_section(rows), moment_section(rows),
            latency_section(rows), counter_section(record, rows), refusals(record), matrix_section(record, rows),
            ablation_section(record, summary), *standing_sections(summary)]


def report(record, summary):
    text = [machine_text(record)]
    for section in sections(record, summary):
        if section.key != "wins" and section.text():
            text += ["", *section.text()]
    if summary["comparisons"]:
        text += ["", f"A difference is reported if 1 is outside its 95 % interval, and a sign test corrected for all "
                 f"{summary['comparisons']} comparisons agrees."]
    if record["interrupted"]:
        text += ["Interrupted: some rows have fewer runs, or none."]
    return "\n".join(text)
