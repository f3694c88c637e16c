#!/usr/bin/env python3
"""tools/check_stats.py [--write] | --self-test

Purpose.     The tables of doc/STATS.md are the lists of counters in the sources: HAK_COUNTERS (include/hakmem_stats.h)
             and DERIVED_COUNTERS (cli/count.h). --write makes them.
Design.      The preprocessor expands the lists, so whatever it takes for a counter is one.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LISTS = ("HAK_COUNTERS", "DERIVED_COUNTERS")
PROBE = """#include "count.h"
#define ROW(id, name, what) <row> name <is> what <end>
#define DERIVED_ROW(name, value, what) <row> name <is> what <end>
"""
BEGIN, END = "<!-- {}: made by tools/check_stats.py --write -->\n", "<!-- {}: end -->"


def rows(root, name):
    """[(counter, what it counts)] of one list."""
    row = "DERIVED_ROW" if name.startswith("DERIVED") else "ROW"
    probe = PROBE + f"<list>\n{name}({row})\n"
    done = subprocess.run(["cc", "-E", "-P", "-I", root / "include", "-I", root / "cli", "-x", "c", "-"], input=probe,
                          capture_output=True, text=True, check=True)
    text = done.stdout.partition("<list>")[2]
    found = re.findall(r"<row>\s*(.*?)\s*<is>\s*(.*?)\s*<end>", text, re.S)
    return [(counter.strip('"'), "".join(re.findall(r'"([^"]*)"', what))) for counter, what in found]


def table(lines):
    return "".join(["| counter | what it counts |\n|---|---|\n", *(f"| `{name}` | {what} |\n" for name, what in lines)])


def made(root, text):
    """The document with its tables as they should be."""
    for name in LISTS:
        before, begin, rest = text.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        if not begin or not end:
            raise SystemExit(f"doc/STATS.md has no block for {name}")
        text = before + begin + table(rows(root, name)) + end + after
    return text


def self_test(text):
    right, faults = made(ROOT, text), []
    for name in LISTS:
        found = rows(ROOT, name)
        wrong = right.replace(f"| `{found[0][0]}` |", "| `nothing` |")
        if len(found) < 10 or wrong == right or made(ROOT, wrong) != right:
            faults.append(f"a wrong name in the table of {name} is not noticed")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    path = ROOT / "doc" / "STATS.md"
    text = path.read_text()
    if options.self_test:
        faults = self_test(text)
    else:
        right = made(ROOT, text)
        faults = [] if right == text else ["doc/STATS.md is out of date: tools/check_stats.py --write"]
        if options.write and faults:
            path.write_text(right)
            faults = []
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
