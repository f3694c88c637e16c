#!/bin/bash
# test/bench/engine_goals.sh
# Purpose.     Each kind of goal is reached, missed and not measured where it should be; what is missed needs a reason,
#              and a reason needs something that is missed.
# Design.      Made-up records in which every goal is reached; then one thing is changed at a time, and exactly the
#              goals that depend on it may have another verdict.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$SOURCE_DIR/bench"
python3 -B - "$work" <<'PY'
import contextlib
import io
import os
import re
import sys

from hakbench import UsageError, charts, goals, page, publish, reasons, record as book, summary

ROUNDS = 10
PEERS = {"libc": 100, "mimalloc3": 100, "snmalloc": 100, "jemalloc": 99}  # ns: jemalloc is the best single peer
NAMES = [*PEERS, "hakmem"]
SUITES = {"seed": ("lifo/16", "mixed/8192", "mixed/1048576"), "larson": ("larson/128@1", "larson/128@2"),
          "threads": ("prodcons@2", "ring@2", "asymmetric/64@1", "churn@1"),
          "growth": ("stringbuild/256", "vector/1024", "calloc-small/16", "calloc-large/65536", "buffers",
                     "idle/1@1000"), "apps": ("perl", "sqlite")}
MACHINE = dict.fromkeys(("cpu", "processors", "virtual", "governor", "boost", "thp", "system", "kernel", "libc",
                         "memory", "pinned", "load_before", "date"), "made up")

def cell(name):
    mine = name == "hakmem"
    found = {column: [1] * ROUNDS for column in book.COLUMNS}
    calls = {call: dict.fromkeys(summary.PERCENTILES, 40.0 if mine else 50.0) for call in ("malloc", "free")}
    found.update(round=list(range(ROUNDS)), ns=[70.0 if mine else PEERS[name]] * ROUNDS, rss=[], proved=1,
                 peak_kib=[55 if mine else 100] * ROUNDS, moments={},
                 latency=[dict(calls, clock_ns=20.0, curve=[[0, 20.0], [100, 50.0]])])
    return found

def row(suite, name):
    head, _, threads = name.partition("@")
    workload, _, size = head.partition("/")
    made = {"id": name, "title": name, "workload": workload, "suite": suite, "size": int(size or 0),
            "threads": int(threads or 1), "unit": "pair", "operations": 1, "summary": "", "work": 1,
            "cells": {each: cell(each) for each in NAMES}}
    if workload == "idle":
        for each, columns in made["cells"].items():
            columns["moments"] = {"without": [1000] * ROUNDS, "idle": [1050 if each == "hakmem" else 1100] * ROUNDS}
    return made

def world():
    """{name: record} in which every goal is reached, most of them just so."""
    def shell(judge):
        return {"hakmem_bench": book.FORMAT, "options": {"judge": judge, "baseline": "libc", "seed": 1},
                "machine": MACHINE, "interrupted": False, "missing": {}, "refused": [], "counters_note": "", "rows": [],
                "allocators": [{"name": n, "version": f"{n} 1", "path": None, "settings": {}, "build_id": None}
                               for n in NAMES]}

    made = {suite: dict(shell(None), rows=[row(suite, name) for name in names]) for suite, names in SUITES.items()}
    made["hotspots"] = dict(shell("hotspots"), hotspots=[
        ["lifo 16 B", "free", "f.h", "99.00", ""], ["", "malloc", "f.h", "99.00", ""], ["", "sum", "", "31.00", ""],
        ["mixed 8,192 slots", "free", "f.h", "99.00", ""], ["", "sum", "", "33.00", ""],
        ["mixed 1,024 slots", "free", "f.h", "99.00", ""], ["", "sum", "", "99.00", ""]])
    return made

def verdicts(records):
    found = goals.evaluate([(r, summary.summarize(r)) for r in records.values()])
    assert len({v.id for v in found}) == len(found)
    return {v.id: v for v in found}

def cells(records, name):
    return next(r for record in records.values() for r in record["rows"] if r["id"] == name)["cells"]

whole = verdicts(world())
assert {v.state for v in whole.values()} == {goals.REACHED}, [v.sentence() for v in whole.values()]
assert len(whole) == 38, len(whole)

def changes(change, **expected):
    """The verdicts that differ from those of the whole world: {goal: its sentence}, after looking at the states."""
    records = world()
    change(records)
    after = verdicts(records)
    found = {key: v.state for key, v in after.items() if v.state != goals.REACHED}
    wanted = {key: state for state, keys in expected.items() for key in keys}
    states = {"missed": goals.MISSED, "unmeasured": goals.UNMEASURED}
    assert found == {key: states[state] for key, state in wanted.items()}, found
    return after

def put(name, allocator, **columns):
    def change(records):
        for column, value in columns.items():
            cells(records, name)[allocator][column] = [value] * ROUNDS
    return change

# Each limit, at it and a hair above; jemalloc's 99 ns and the 100 KiB of all are what there is to beat.
for name, time, memory in (
        ("lifo/16", 1.00, None), ("mixed/8192", 0.85, 1.00), ("mixed/1048576", 0.90, 1.00),
        ("larson/128@1", None, None), ("larson/128@2", 0.90, 1.00), ("churn@1", None, None),
        ("prodcons@2", 0.95, 0.60), ("ring@2", 0.95, 0.60), ("asymmetric/64@1", 0.95, 0.60),
        ("stringbuild/256", 0.80, 1.00), ("vector/1024", 0.80, 1.00), ("calloc-small/16", 0.80, 1.00),
        ("calloc-large/65536", 0.80, 1.00), ("perl", 1.00, 1.00)):
    if time:
        changes(put(name, "hakmem", ns=99 * time * 0.9999))
        changes(put(name, "hakmem", ns=99 * time * 1.001), missed=[f"time of {name}"])
    else:
        changes(put(name, "hakmem", ns=89.0))
    if memory:
        changes(put(name, "hakmem", peak_kib=100 * memory))
        changes(put(name, "hakmem", peak_kib=100 * memory + 0.1), missed=[f"memory of {name}"])
    else:
        changes(put(name, "hakmem", peak_kib=102))

# The median decides, whatever the interval has in it, and the best peer of the row counts, libc too.
def unsteady(records):
    cells(records, "lifo/16")["hakmem"]["ns"] = [70.0] * 4 + [100.0] * 6
after = changes(unsteady, missed=["time of lifo/16"])["time of lifo/16"]
assert after.interval[0] < 1 < after.value and "1.010 [0.707, 1.010] of jemalloc" in after.sentence(), after.sentence()
after = changes(put("lifo/16", "libc", ns=69.0), missed=["time of lifo/16"])["time of lifo/16"]
assert after.peer == "libc", after

# Where one peer is named it alone counts; where it is missing nothing does.
changes(put("prodcons@2", "libc", peak_kib=1))
changes(put("prodcons@2", "snmalloc", peak_kib=91), missed=["memory of prodcons@2"])
changes(lambda records: cells(records, "prodcons@2").pop("snmalloc"), unmeasured=["memory of prodcons@2"])
changes(put("buffers", "libc", ns=50.0, peak_kib=10))
changes(put("buffers", "mimalloc3", ns=69.0, peak_kib=54), missed=["time of buffers", "memory of buffers"])
changes(lambda records: cells(records, "buffers").pop("mimalloc3"), unmeasured=["time of buffers", "memory of buffers"])

# Real programs: whoever is not among the three fastest may be as lean as it likes.
changes(put("perl", "libc", ns=101.0, peak_kib=50))
changes(put("perl", "libc", ns=98.0, peak_kib=50), missed=["memory of perl"])
def slow_programs(records):
    for name in SUITES["apps"]:
        put(name, "hakmem", ns=95.0)(records)
changes(slow_programs, missed=["time of all real programs"])
def fat_programs(records):
    for name in SUITES["apps"]:
        put(name, "hakmem", peak_kib=95)(records)
changes(fat_programs, missed=["memory of all real programs"])

# Means: every row counts, the best single peer is found by time, and its memory is what is compared.
after = changes(put("churn@1", "hakmem", ns=2000.0), missed=["time of all rows"])["time of all rows"]
assert after.peer == "jemalloc" and "17 rows" in after.note, after
changes(put("churn@1", "libc", peak_kib=0.001))
after = changes(put("churn@1", "jemalloc", peak_kib=0.001), missed=["memory of all rows"])["memory of all rows"]
assert after.peer == "jemalloc", after
def mostly_refused(records):
    for name in sum(SUITES.values(), ())[:9]:
        cells(records, name).pop("jemalloc")
assert changes(mostly_refused)["time of all rows"].peer != "jemalloc"
every = [key for key in whole if "of all rows" in key]
changes(lambda records: records.pop("threads"), unmeasured=[
    "time of all rows", "memory of all rows", "time of prodcons, ring, asymmetric",
    "memory of prodcons, ring, asymmetric"])

# Latency, idle threads, instructions.
def tail(call, percentile, value):
    def change(records):
        for name in sum(SUITES.values(), ()):
            cells(records, name)["hakmem"]["latency"][0][call][percentile] = value
            cells(records, name)["libc"]["latency"][0][call][percentile] = 60.0
    return change
for call in ("malloc", "free"):
    for percentile in ("p99.99", "max"):
        changes(tail(call, percentile, 50.0))
        after = changes(tail(call, percentile, 50.1), missed=[f"{call} {percentile} of all rows"])
        assert "0 of 17 rows" in after[f"{call} {percentile} of all rows"].note
    changes(tail(call, "p99.9", 500.0))
def no_latency(records):
    for name in sum(SUITES.values(), ()):
        for columns in cells(records, name).values():
            columns["latency"] = []
changes(no_latency, unmeasured=[key for key in every if key.startswith(("malloc", "free"))])
def idle(kib):
    def change(records):
        cells(records, "idle/1@1000")["hakmem"]["moments"]["idle"] = [kib] * ROUNDS
    return change
changes(idle(1050))
changes(idle(1051), missed=["memory kept of idle/1@1000"])
def no_moments(records):
    cells(records, "idle/1@1000")["hakmem"]["moments"] = {}
changes(no_moments, unmeasured=["memory kept of idle/1@1000"])
def sums(patterns, mixed):
    def change(records):
        lines = records["hotspots"]["hotspots"]
        lines[2][3], lines[4][3] = patterns, mixed
    return change
changes(sums("31.20", "33.00"), missed=["instructions of lifo/16"])
changes(sums("31.00", "33.01"), missed=["instructions of mixed/8192"])
changes(lambda records: records.pop("hotspots"), unmeasured=["instructions of the five patterns",
                                                             "instructions of mixed/8192"])

# No build of hakmem is a peer; who was refused, and what was interrupted, has no numbers.
def variant(records):
    records["seed"]["allocators"].append(dict(records["seed"]["allocators"][0], name="other",
                                              version="hakmem, not of a package"))
    cells(records, "lifo/16")["other"] = dict(cell("hakmem"), ns=[1.0] * ROUNDS)
changes(variant)
def refused(records):
    book.refuse(records["seed"], "lifo/16", "hakmem", "it fell over")
assert changes(refused, unmeasured=["time of lifo/16"])["time of lifo/16"].note == "hakmem was refused: it fell over"
def interrupted(records):
    records["apps"]["interrupted"] = True
changes(interrupted, unmeasured=[f"{q} of {w}" for q in ("time", "memory")
                                 for w in ("real programs", "all real programs", "all rows")])

# A single record shows what it can.
seed = world()["seed"]
put("lifo/16", "hakmem", ns=100.0)({"seed": seed})
alone = goals.shown_by(seed, summary.summarize(seed))
assert [words for words, reached in alone if not reached] == ["time of lifo/16: 1.010 [1.010, 1.010] of jemalloc; at "
                                                              "most 1.00"], alone
assert len(alone) == 5 + 4, alone

# Published: a reason for what is missed, and for nothing else.
root = sys.argv[1]
os.makedirs(os.path.join(root, "bench", "results"))

def lay(change=lambda records: None, why=""):
    records = world()
    change(records)
    records["odd"] = dict(world()["seed"], allocators=[])  # of another name: no part of the goals
    for name, record in records.items():
        with open(os.path.join(root, "bench", "results", f"{name}.json"), "w", encoding="utf-8") as file:
            book.write_json(record, file)
    with open(os.path.join(root, "README.md"), "w", encoding="utf-8") as file:
        file.write(f"before\n{publish.BEGIN}\n{publish.END}\nafter\n")
    with open(os.path.join(root, reasons.FILE), "w", encoding="utf-8") as file:
        file.write(why)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert publish.publish(root, check=False) == 0
    assert "reason" not in out.getvalue()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = publish.publish(root, check=True)
    with open(os.path.join(root, "doc", "BENCHMARKS.md"), encoding="utf-8") as file:
        return status, out.getvalue().splitlines(), file.read()

def two(records):
    put("lifo/16", "hakmem", ns=100.0)(records)
    sums("31.20", "33.00")(records)

status, lines, text = lay()
assert status == 0 and not lines and "38 of 38 goals reached" in text and "Not reached: none" in text, (status, lines)
status, lines, text = lay(two)
assert status == 1 and len(lines) == 2, lines
assert lines[0].startswith("no reason in bench/results/reasons.txt: time of lifo/16: 1.010 "), lines
assert "| time of lifo/16 | jemalloc | 1.010 [1.010, 1.010] | 1.00 |  | no reason given |" in text
assert "| instructions of lifo/16 | - | 31.20 | 31.00 | inside the library, per pair | no reason given |" in text
for why in ("lifo/16: it waits\n", "*: it waits\n",
            "# a word\ntime of lifo/*: it\n  waits\n\ninstructions of *: it waits\n",
            "time of lifo/16: it waits\nlifo/16: it waits\n"):
    status, lines, text = lay(two, why)
    assert status == 0 and not lines and text.count("| it waits |") == 2, (why, status, lines)
status, lines, text = lay(two, "time of lifo/16: it waits\n")
assert status == 1 and len(lines) == 1 and "instructions of lifo/16" in lines[0], lines
status, lines, text = lay(two, "*: it waits\nlifo/128: it is late\n")
assert (status, lines) == (1, ["fits no goal that is not reached: 'lifo/128' in bench/results/reasons.txt"]), lines
status, lines, text = lay(why="mixed/8192: it was slow once\n")
assert status == 1 and len(lines) == 1 and "'mixed/8192'" in lines[0], lines
for bad in ("lifo/16\n", "lifo/16: \n", "  lifo/16: no\n", "lifo/16: a\nlifo/16: b\n"):
    try:
        lay(two, bad)
    except UsageError as problem:
        assert "reasons.txt:" in str(problem), problem
    else:
        raise AssertionError(f"taken: {bad!r}")
status, lines, text = lay(lambda records: (two(records), cells(records, "buffers").pop("mimalloc3")), "*: it waits\n")
assert "34 of 38 goals reached" in text, re.findall(".*goals reached", text)
places = [text.index(words) for words in ("\n## Goals", "\nNot reached", "| time of lifo/16", "\nNot measured",
                                          "| time of buffers", "<summary>Reached", "| time of mixed/8192", "\n## seed")]
assert places == sorted(places), places
with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
    assert "\n34 of 38 goals reached; what is not reached stands first in [doc/BENCHMARKS.md]" in file.read()

# Sixteen allocators have looks of their own, hakmem's always the same, light and dark; a seventeenth is refused.
def looks(count, *more):
    return page.palette({"allocators": [{"name": f"a{i}"} for i in range(count)] + [{"name": n} for n in more]})

found = looks(15, "hakmem")
assert len(set(found.values())) == 16 and found["hakmem"] == looks(1, "hakmem")["hakmem"] == "s5", found
assert len(set(looks(16).values())) == 16
for look in found.values():
    for word in look.split():
        assert word == "again" or len(re.findall(rf"\.{word}{{--c:#\w+}}", page.STYLE)) == 2, word
for kind in (" .whisker", ".curve", ".dot", " .dot"):
    assert f".again{kind}" in page.STYLE, kind
try:
    looks(16, "hakmem")
except UsageError as problem:
    assert "16 allocators" in str(problem), problem
else:
    raise AssertionError("two allocators look the same")
names = [f"allocator{i}" for i in range(10)]
marks, width, height = charts.legend_marks(names, dict.fromkeys(names, "s1"))
assert width <= charts.LEGEND_WIDTH and height == 2 * charts.LEGEND_LINE and all(name in marks for name in names)
assert charts.legend_marks(names[:2], dict.fromkeys(names, "s1"))[2] == charts.LEGEND_LINE
print("goals as they should be")
PY
