#!/usr/bin/env python3
"""test/golden/callgrind_count.py OUT REPORT OBJECT: the instructions that a profiled run executed inside one library.

Purpose.     Sums the self cost of every instruction of OBJECT, slow paths and its own PLT included; the callers' PLT
             stubs belong to the callers. Prints one number.
Design.      OUT is callgrind's own format with addresses, uncompressed. callgrind names the object of .text only;
             what it knows no object for (PLT, text in other sections) it lists by absolute address, so REPORT, what
             bench/micro printed in that run, says where the library lay. The line after a calls= line is the inclusive
             cost of the callee, counted there already.
Not here.    Limits and the runs themselves (fast_path.sh).
Exit status 3 if OBJECT did not serve the run.
"""
import json
import os
import struct
import sys


def extent(path):
    """Bytes from the load address to the end of the last loaded segment (64-bit little-endian ELF)."""
    with open(path, "rb") as file:
        data = file.read()
    table, entry_size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    segments = (struct.unpack_from("<IIQQQQQQ", data, table + i * entry_size) for i in range(count))
    return max(s[3] + s[6] for s in segments if s[0] == 1)  # PT_LOAD: address + size in memory


def count(path, wanted, begin, end):
    """Self cost of the library: all of its object's, and what callgrind knows no object for at [begin, end)."""
    total, inclusive, ours, unknown = 0, False, {}, True
    inside = False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("ob="):
                name = line[3:].rstrip("\n")
                if name not in ours:
                    ours[name] = os.path.realpath(name) == wanted
                inside, unknown = ours[name], name == "???"
            elif line.startswith("calls="):
                inclusive = True
            elif line.startswith("0x"):
                fields = line.split()  # address, line, cost; a cost of 0 is left out
                if not inclusive and len(fields) == 3:
                    if inside or (unknown and begin <= int(fields[0], 16) < end):
                        total += int(fields[2])
                inclusive = False
    return total


def main():
    if len(sys.argv) != 4:
        print("usage: callgrind_count.py CALLGRIND_OUT REPORT OBJECT", file=sys.stderr)
        return 2
    profile, report_path, wanted = sys.argv[1:]
    with open(report_path, encoding="utf-8") as file:
        report = json.load(file)
    for function in ("malloc", "free"):
        if os.path.realpath(report[function]) != os.path.realpath(wanted):
            print(f"callgrind_count.py: {function} was served by {report[function]}, not by {wanted}", file=sys.stderr)
            return 3
    begin = report["malloc_base"]
    total = count(profile, os.path.realpath(wanted), begin, begin + extent(wanted))
    if total < report["pairs"]:
        print(f"callgrind_count.py: {wanted}: {total} instructions for {report['pairs']} pairs", file=sys.stderr)
        return 3
    print(total)
    return 0


if __name__ == "__main__":
    sys.exit(main())
