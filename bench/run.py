#!/usr/bin/env python3
"""bench/run.py: what `hakmem bench` runs. The command tells it where command, library and workloads are.

Design.      See hakbench/__init__.py.
"""
import json
import os
import platform
import shutil
import sys

sys.dont_write_bytecode = True
from hakbench import (Refused, UsageError, allocators as known, contention, counters, hotspots,  # noqa: E402
                      machine, measure, options as usage, page, publish, record as book, rows as catalogue, runner,
                      suites, summary, table)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
COMMAND = os.environ.get("HAKMEM_BENCH_COMMAND", os.path.join(BUILD, "hakmem"))
LIBRARY = os.environ.get("HAKMEM_BENCH_LIBRARY", os.path.join(BUILD, "libhakmem.so"))
MICRO = os.environ.get("HAKMEM_BENCH_MICRO", os.path.join(BUILD, "bench", "micro"))
MACHINES = {"x86_64": "x86-64"}


def machine_name():
    return MACHINES.get(platform.machine(), platform.machine())


def print_list(rows):
    print("suites")
    for suite in dict.fromkeys(row.suite for row in rows):
        print(f"  {suite:<14} {', '.join(dict.fromkeys(r.workload for r in rows if r.suite == suite))}")
    for name, text in suites.JUDGES.items():
        print(f"  {name:<14} {text}")
    print("workloads")
    for workload in dict.fromkeys(row.workload for row in rows):
        these = [r for r in rows if r.workload == workload]
        sizes = list(dict.fromkeys(catalogue.number(r.size, r.size_unit) for r in these if r.sized))
        threads = list(dict.fromkeys(str(r.threads) for r in these if r.threaded))
        where = (f" ({', '.join(sizes)})" if sizes else "") + (f" ({', '.join(threads)} threads)" if threads else "")
        print(f"  {workload:<14} {these[0].summary}{where}")


def default_baseline(options, chosen):
    names = [a.name for a in chosen]
    baseline = options.baseline or ("libc" if "libc" in names else names[0])
    if baseline not in names:
        raise UsageError(f"--baseline {baseline} is not among the allocators: {' '.join(names)}")
    return baseline


def take(options):
    """Measures what the options ask for."""
    if options.command and not shutil.which(options.command[0]):
        raise UsageError(f"there is no program {options.command[0]}")
    chosen_rows = ([catalogue.CommandRow(options.command)] if options.command
                   else catalogue.select(catalogue.all_rows(MICRO), options.words))
    starter = runner.Runner(COMMAND, options.cpus, options.seed)
    if options.judge:
        chosen, missing = suites.opponents(options.judge, LIBRARY, starter.scratch.name), {}
    else:
        chosen, missing = known.choose(options.allocators, LIBRARY)
    refused = known.inspect_all(chosen, machine_name())
    baseline = default_baseline(options, chosen)
    chosen.sort(key=lambda a: a.name != baseline)
    record = book.new(machine.facts(options.cpus), {"words": options.words, "command": options.command,
                      "judge": options.judge, "baseline": baseline, "seed": options.seed}, chosen, chosen_rows, missing)
    if options.html:
        page.palette(record)  # refuses what no chart could show, before hours of measuring
    taken = measure.Measurement(record, chosen_rows, chosen, starter, options.seed)
    taken.prepare(refused)
    method, repeats, record["counters_note"] = counters.choose(starter, options.instructions)
    taken.take(lambda long: options.repeats or (usage.REPEATS_LONG if long else usage.REPEATS_SHORT),
               not options.no_latency, method, repeats)
    return record


def profile(options):
    """--hotspots: a record of hakmem's instructions alone; nothing is timed."""
    starter = runner.Runner(COMMAND, options.cpus, options.seed)
    method, _, note = counters.choose(starter, by_callgrind=True)
    if not method:
        raise UsageError(note)
    chosen = catalogue.select(catalogue.all_rows(MICRO), options.words or ["seed"])
    hakmem = known.parse("hakmem", LIBRARY)
    refused = known.inspect_all([hakmem], machine_name())
    if refused:
        raise UsageError(refused["hakmem"])
    record = book.new(machine.facts(options.cpus), {"words": options.words, "command": None, "judge": "hotspots",
                      "baseline": "hakmem", "seed": options.seed}, [hakmem], [], {})
    suitable = [row for row in chosen if row.unit == "pair" and not row.threaded and row.suite != "threads"]
    record["hotspots"] = hotspots.measure(method, suitable, hakmem)
    return record


def contend(options):
    """The suite contention: a record of counts; what is timed there is a by-product."""
    starter = runner.Runner(COMMAND, options.cpus, options.seed)
    hakmem = known.Allocator("hakmem", LIBRARY, contention.HEAPS)
    refused = known.inspect_all([hakmem], machine_name())
    if refused:
        raise UsageError(refused["hakmem"])
    record = book.new(machine.facts(options.cpus), {"words": options.words, "command": None, "judge": "contention",
                      "baseline": "hakmem", "seed": options.seed}, [hakmem], [], {})
    try:
        record["contention"] = contention.measure(starter, MICRO, options.words, hakmem)
    except Refused as why:
        raise UsageError(str(why)) from why
    return record


def show(options, record):
    """Prints the record as asked; the exit status."""
    found = summary.summarize(record)
    verdicts = suites.judge(record["options"]["judge"], record, found)
    if options.json:
        json.dump(dict(record, summary=found, verdicts=verdicts), sys.stdout, indent=1)
        print()
    elif options.csv:
        book.write_csv(record, sys.stdout)
    else:
        print(table.report(record, found))
        print("\n".join(["", *suites.report(verdicts)]) if verdicts else "", end="\n" if verdicts else "")
    if options.html:
        with open(options.html, "w", encoding="utf-8") as file:
            file.write(page.page(record, found, verdicts))
    failed = record["options"]["judge"] and not all(reached for _, reached in verdicts)
    return 1 if record["refused"] or record["interrupted"] or failed else 0


def writable(path):
    """Hours of measuring should not end at a file name."""
    try:
        with open(path, "a", encoding="utf-8"):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def main(arguments):
    try:
        options = usage.parse(arguments)
        for path in filter(None, (options.html, options.record)):
            writable(path)
        if options.list:
            print_list(catalogue.all_rows(MICRO))
            return 0
        if options.publish:
            return publish.publish(ROOT, options.check)
        record = (book.read(options.source) if options.source else profile(options) if options.hotspots
                  else contend(options) if options.judge == "contention"
                  else take(options))
        if options.record:
            with open(options.record, "w", encoding="utf-8") as file:
                book.write_json(record, file)
        return show(options, record)
    except UsageError as problem:
        print(f"hakmem bench: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stdout = None
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
