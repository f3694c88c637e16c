"""The numbers in the repository: `hakmem bench --publish`.

Purpose.     Makes doc/BENCHMARKS.md, doc/charts and the block of README.md from the records in bench/results, so that
             no number is written by hand; --check only tells what is out of date, and which goal that is not reached
             has no reason, or which reason no goal.
"""
import glob
import os
import re

from . import UsageError, charts, goals, page, reasons as why, record as book, stats, suites, summary as digest, table

ORDER = ("seed", "larson", "threads", "growth", "apps", "aa", "slowed", "ablate", "hotspots", "contention")
SHOWN_IN_FULL = ("standing", "losses", "larger", "ablations", "matrix", "refused", "proof", "hotspots", "moments",
                 "contention", "ahead")
BEGIN, END = "<!-- bench: made by hakmem bench --publish -->", "<!-- bench: end -->"
INTRODUCTION = """# Benchmarks

Made by `hakmem bench --publish` from the records in [bench/results](../bench/results), which have every sample, the
machine and the versions. How it is measured: [bench/hakbench](../bench/hakbench/__init__.py). `hakmem bench --from
RECORD --html PAGE` shows any of them with all charts. Your machine will differ: `make bench` measures it.
"""
GOALS = """A goal is a ratio of hakmem to a peer, which is any other allocator of the record: the median of the rounds,
of time or of the peak of resident memory, against the peer that stands best there, or against the one that the goal is
set for ([goals.py](../bench/hakbench/goals.py)). Latency has the reading of the clock in it. Instructions are counted
by callgrind, inside the library alone. Why a goal is not reached is in [reasons.txt](../bench/results/reasons.txt).
"""


def markdown(section):
    """A section as a table; empty cells keep their row readable."""
    if not section.lines:
        return f"{section.title}: {section.note}\n" if section.note else ""
    rule = ["---" if i < section.left else "---:" for i in range(len(section.head))]
    lines = ["| " + " | ".join(word.replace("|", "\\|") for word in line) + " |"
             for line in (section.head, rule, *section.lines)]
    note = f"\n\n{section.note}" if section.note not in ("", table.NONE) else ""
    return f"{section.title}\n\n" + "\n".join(lines) + note + "\n"


def folded(section):
    text = markdown(section)
    title, _, rest = text.partition("\n")
    return f"<details><summary>{title}</summary>\n{rest}\n</details>\n" if section.lines else text


def chart(record, summary, suite):
    """The ratio plot of one suite as a file of its own."""
    colour, baseline = page.palette(record), record["options"]["baseline"]
    names = [name for name in colour if name != baseline]
    rows = [row for row in digest.measured(summary) if row["suite"] == suite]
    plot = charts.ratio_plot(rows, baseline, names, colour, with_legend=True)
    style = re.sub(r"\s+", " ", page.STYLE)
    return plot.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f"><style>{style}</style><rect width=\"100%\" height=\"100%\" class=\"ground\"/>", 1) + "\n"


def goal_chapter(verdicts, reasons):
    """What is not reached first, then what was not measured, then the rest."""
    head = ["goal", "peer", "hakmem / peer [95 %]", "at most", ""]

    def those(state):
        return [verdict for verdict in verdicts if verdict.state == state]

    def cells(verdict):
        return [verdict.id, verdict.peer or "-", verdict.measured, f"{verdict.limit:.2f}", verdict.note]

    missed = table.Section("missed", "Not reached", [*head, "reason"],
                           [[*cells(v), why.of(v, reasons) or "no reason given"] for v in those(goals.MISSED)], 6,
                           table.NONE)
    unknown = table.Section("unmeasured", "Not measured", ["goal", "at most", "why"],
                            [[v.id, f"{v.limit:.2f}", v.note] for v in those(goals.UNMEASURED)], 3, table.NONE)
    reached = table.Section("reached", "Reached", head, list(map(cells, those(goals.REACHED))), 5, table.NONE)
    return "\n".join(["## Goals\n", f"{tally(verdicts)}.\n", GOALS, markdown(missed), markdown(unknown),
                      folded(reached)])


def tally(verdicts):
    return f"{sum(v.state == goals.REACHED for v in verdicts)} of {len(verdicts)} goals reached"


def chapter(name, record, summary, has_charts):
    judge = record["options"]["judge"]
    verdicts = suites.judge(judge, record, summary) if judge else []
    parts = [f"## {name}\n", f"{table.machine_text(record)}.\n"]
    if verdicts:
        parts.append("```\n" + "\n".join(suites.report(verdicts)) + "\n```\n")
    if has_charts:
        parts += [f"![ratios of {suite}](charts/{name}-{suite}.svg)\n" for suite in suites_of(summary)]
    for section in table.sections(record, summary):
        if section.key != "wins":
            parts.append(markdown(section) if section.key in SHOWN_IN_FULL else folded(section))
    return "\n".join(filter(None, parts))


def suites_of(summary):
    return list(dict.fromkeys(row["suite"] for row in digest.measured(summary)))


def readme_block(records, verdicts):
    """How hakmem stands, suite by suite, and the machine; nothing that is not in a record."""
    lines = ["| suite | against | faster | no difference | slower | smaller | larger |",
             "|---|---|---:|---:|---:|---:|---:|"]
    for name, (record, summary) in records.items():
        if record["options"]["judge"]:
            continue
        memory = digest.standings(summary, "memory_duels")
        for peer, found in digest.standings(summary).items():
            counts = [found[v] for v in (stats.FASTER, stats.SAME, stats.SLOWER)]
            counts += [memory[peer][v] for v in (stats.FASTER, stats.SLOWER)]
            lines.append(f"| {name} | {peer} | " + " | ".join(str(len(rows)) for rows in counts) + " |")
    charts_of = [f"![ratios of {name}](doc/charts/{name}-{name}.svg)" for name in ("seed",) if name in records]
    first = next((r for r, _ in records.values()), None)
    return "\n".join([
        BEGIN, "Rows in which hakmem is faster or slower than each of the others, and in which its peak of resident",
        "memory is smaller or larger; every loss is named in [doc/BENCHMARKS.md](doc/BENCHMARKS.md).", "",
        f"{tally(verdicts)}; what is not reached stands first in [doc/BENCHMARKS.md](doc/BENCHMARKS.md).", "",
        *lines, "", *charts_of, "",
        f"{table.machine_text(first)}." if first else "No record yet: `make bench` measures.", END])


def read_records(root):
    """{name: (record, summary)} of all that there are, in the order of the chapters."""
    paths = glob.glob(os.path.join(root, "bench", "results", "*.json"))
    names = sorted((os.path.basename(p).removesuffix(".json") for p in paths),
                   key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n))
    records = {}
    for name in names:
        record = book.read(os.path.join(root, "bench", "results", f"{name}.json"))
        records[name] = record, digest.summarize(record)
    return records


def outputs(root, records, verdicts, reasons):
    """{path: text} of everything that is made."""
    made, chapters = {}, [INTRODUCTION, goal_chapter(verdicts, reasons)]
    for name, (record, summary) in records.items():
        has_charts = record["options"]["judge"] is None
        chapters.append(chapter(name, record, summary, has_charts))
        for suite in suites_of(summary) if has_charts else ():
            made[f"doc/charts/{name}-{suite}.svg"] = chart(record, summary, suite)
    made["doc/BENCHMARKS.md"] = "\n".join(chapters)
    try:
        with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
            readme = file.read()
    except OSError as error:
        raise UsageError(f"--publish needs the source tree: {root}/README.md: {error.strerror}") from error
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"README.md has no block between '{BEGIN}' and '{END}'")
    made["README.md"] = before + readme_block(records, verdicts) + after
    return made


def publish(root, check):
    """Writes what differs, or only names it; the exit status."""
    records, stale = read_records(root), []
    verdicts = goals.evaluate([found for name, found in records.items() if name in goals.RECORDS])
    reasons = why.read(os.path.join(root, why.FILE))
    for path, text in outputs(root, records, verdicts, reasons).items():
        full = os.path.join(root, path)
        try:
            with open(full, encoding="utf-8") as file:
                same = file.read() == text
        except FileNotFoundError:
            same = False
        if same:
            continue
        stale.append(path)
        if not check:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path}")
    faults = why.faults(verdicts, reasons) if check else []
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if check and (stale or faults) else 0
