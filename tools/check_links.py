#!/usr/bin/env python3
"""tools/check_links.py [--root DIR] | --self-test

Purpose.     What a text refers to is there: each decisions/NNN, in any file, is one file of doc/decisions, no number is
             used twice, and each link of a document to a file of the repository leads to one.
Not here.    Links to the network.
"""
import re

import static_check

FOLDERS = ("include", "src", "cli", "bench", "test", "tools", "cmake", "doc", ".ci")
TEXTS = {".c", ".h", ".cpp", ".py", ".sh", ".txt", ".md", ".1", ""}
DECISION = re.compile(r"\bdecisions/(\d{3})\b")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def texts(root):
    for path in sorted(root.glob("*")):
        if path.is_file() and path.suffix in TEXTS:
            yield path
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts:
                yield path


def check(root):
    decisions = [path.name[:3] for path in sorted((root / "doc/decisions").glob("*.md"))]
    if not decisions:
        return [f"{root}: no doc/decisions: cannot check"]
    faults = [f"doc/decisions: {number} is there {decisions.count(number)} times"
              for number in sorted(set(decisions)) if decisions.count(number) > 1]
    for path in texts(root):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            where = f"{path.relative_to(root)}:{number}"
            faults += [f"{where}: no decisions/{found}" for found in DECISION.findall(line) if found not in decisions]
            if path.suffix == ".md":
                faults += [f"{where}: no {target}" for target in LINK.findall(line)
                           if "://" not in target and not (path.parent / target).exists()]
    return faults


ONE = {"doc/decisions/001-a.md": "# 001\n"}
CASES = {
    "all there": ({**ONE, "src/a.c": "/* doc/decisions/001 */\n", "README.md": "[a](doc/decisions/001-a.md)\n"}, []),
    "a decision that is not there": ({**ONE, "src/a.c": "\n/* decisions/002 */\n"}, ["src/a.c:2: no decisions/002"]),
    "a link to nothing": ({**ONE, "doc/A.md": "[b](B.md) [c](#c) [d](https://d.example)\n"}, ["doc/A.md:1: no B.md"]),
    "a number used twice": ({**ONE, "doc/decisions/001-b.md": "\n"}, ["doc/decisions: 001 is there 2 times"]),
    "no decisions": ({"src/a.c": "\n"}, None),
}


if __name__ == "__main__":
    static_check.main(check, lambda: static_check.test_cases(check, CASES))
