"""Where the instructions go: `hakmem bench --hotspots`.

Purpose.     For each row, hakmem's instructions per operation by function and by the source that was inlined there.
Design.      callgrind's own format: a cost line belongs to the object, function and file named last; the line after
             calls= is the callee's and is counted there. Two runs are subtracted, as in counters.py.
"""
import collections
import os
import re

NAME = re.compile(r"(c?)(ob|fl|fi|fe|fn)=\((\d+)\)(?: (.*))?$")  # with c: of the function called, which may name it
LEAST_SHARE = 0.005


def costs(paths, library):
    """{(function, file): instructions} of the library's own code."""
    found, wanted = collections.Counter(), os.path.realpath(library)
    for path in paths:
        names, here, inclusive = {}, {}, False
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                match = NAME.match(line)
                if match:
                    callee, kind, number, name = match.groups()
                    table = "f" if kind in ("fl", "fi", "fe") else kind
                    if name is not None:
                        names[table, number] = name
                    if not callee:
                        here[table] = names[table, number]
                elif line.startswith("calls="):
                    inclusive = True
                elif line[0] in "+-*0123456789":
                    if not inclusive and os.path.realpath(here.get("ob", "")) == wanted:
                        found[here["fn"].partition("'")[0], source(here["f"])] += int(line.split()[1])
                    inclusive = False
    return found


def source(path):
    """As the map of the sources has it: layer/file."""
    return "/".join(path.split("/")[-2:])


def measure(method, rows, allocator):
    """Lines of row, function, source, instructions per operation and share."""
    lines = []
    for row in rows:
        files, done = method.profile(row, allocator, row.work)
        less = costs(files, allocator.path)
        files, more_done = method.profile(row, allocator, row.work * 3)
        more = costs(files, allocator.path)
        each = {key: (more[key] - less[key]) / (more_done - done) for key in more}
        total = sum(each.values())
        shown = [(key, value) for key, value in sorted(each.items(), key=lambda item: -item[1])
                 if value > LEAST_SHARE * total]
        title = row.title
        for (function, file), value in shown:
            lines.append([title, function, file, f"{value:.2f}", f"{value / total:.1%}"])
            title = ""
        rest = total - sum(value for _, value in shown)
        lines += [["", "everything else", "", f"{rest:.2f}", f"{rest / total:.1%}"],
                  ["", "sum", "", f"{total:.2f}", ""]]
    return lines
