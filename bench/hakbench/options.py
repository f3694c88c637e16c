"""The command line of `hakmem bench`."""
import argparse
import os
import random
import sys

from . import UsageError, suites

REPEATS_LEAST, REPEATS_SHORT, REPEATS_LONG = 10, 30, 15
EPILOG = """Without a word, every built-in workload but the real programs (suite apps) is run. Words may be suites,
workloads, WORKLOAD/SIZE, WORKLOAD@THREADS. Exit status: 0 every row was measured and proved (and what the suite judges
is reached), 1 not so, 2 bad usage."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UsageError(message)


def parser():
    made = Parser(prog="hakmem bench", usage="hakmem bench [OPTION]... [SUITE|WORKLOAD]...\n"
                  "       hakmem bench [OPTION]... -- COMMAND [ARGUMENT]...", epilog=EPILOG, add_help=False,
                  description="Measures allocators side by side, and proves for every run who served it.")
    add = made.add_argument
    add("words", nargs="*", metavar="SUITE|WORKLOAD", help=argparse.SUPPRESS)
    add("--allocators", action="append", metavar="LIST", help="names, or name=path.so[,VAR=VALUE...], by comma; "
        "default: all that are installed")
    add("--baseline", metavar="NAME", help="what the ratios are to; default: libc")
    add("--repeats", type=int, metavar="N", help=f"runs of each row and allocator, {REPEATS_LEAST} at least; default: "
        f"{REPEATS_SHORT}, and {REPEATS_LONG} of whole programs and of runs longer than half a second")
    add("--cpus", metavar="LIST", help="cpus to run on, as 0,2-3; a row of one thread runs on the last")
    add("--seed", type=int, metavar="N", help="of the order of the runs; default: a new one")
    add("--no-latency", action="store_true", help="leave the latency pass out")
    add("--instructions", action="store_true", help="count instructions under callgrind")
    add("--hotspots", action="store_true", help="where hakmem's instructions go, by callgrind; nothing is timed")
    add("--json", action="store_true", help="record and summary as JSON on standard output")
    add("--csv", action="store_true", help="raw samples on standard output")
    add("--html", metavar="FILE", help="a page with charts")
    add("--record", metavar="FILE", help="keep everything that was measured")
    add("--from", dest="source", metavar="FILE", help="measure nothing, show this record")
    add("--list", action="store_true", help="name suites and workloads")
    add("--publish", action="store_true", help="make doc/BENCHMARKS.md, its charts and README's table from "
        "bench/results, and judge hakmem's goals there")
    add("--check", action="store_true", help="with --publish: only say what is out of date, and which goal "
        "that is not reached has no reason in bench/results/reasons.txt")
    add("-h", "--help", action="store_true", help="this text")
    return made


def parse_cpus(text):
    allowed = sorted(os.sched_getaffinity(0))
    if text is None:
        return allowed
    chosen = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or "0").isdigit():
            raise UsageError(f"--cpus takes numbers as 0,2-3, not '{text}'")
        chosen.update(range(int(first), int(last or first) + 1))
    if not chosen or not chosen <= set(allowed):
        raise UsageError(f"--cpus {text}: this process may run on {','.join(map(str, allowed))}")
    return sorted(chosen)


def parse(arguments):
    words, _, command = arguments, None, None
    if "--" in arguments:
        at = arguments.index("--")
        words, command = arguments[:at], arguments[at + 1:]
        if not command:
            raise UsageError("no command after --")
    made = parser()
    options = made.parse_intermixed_args(words)
    options.command = command
    if options.help:
        made.print_help()
        sys.exit(0)
    if command and options.words:
        raise UsageError(f"'{options.words[0]}' and a command exclude each other")
    if options.json and options.csv:
        raise UsageError("--json and --csv exclude each other: keep the --record, and show it --from there")
    if options.hotspots and (options.html or options.csv or options.command):
        raise UsageError("--hotspots has no page, no samples and no command: it prints a table of the workloads named")
    if options.check and not options.publish:
        raise UsageError("--check belongs to --publish")
    if options.repeats is not None and options.repeats < REPEATS_LEAST:
        raise UsageError(f"--repeats {options.repeats}: at least {REPEATS_LEAST}, fewer say nothing")
    options.cpus = parse_cpus(options.cpus)
    options.seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    options.judge = next((w for w in options.words if w in suites.JUDGES), None)
    if options.judge:
        options.words = [w for w in options.words if w != options.judge] or (
            [] if options.judge == "contention" else ["seed"])
        if options.allocators or options.baseline:
            raise UsageError(f"{options.judge} brings its own allocators")
        if options.judge == "contention" and (options.html or options.csv):
            raise UsageError("contention has no page and no samples of time: it prints a table")
    return options
