"""Rows: one workload at one size and number of threads, a real program, or the user's command.

Purpose.     What can be measured, what the words of a command line mean, and the command of one run.
Design.      The program micro says itself what it has. A real program is a script in bench/apps.
             How fast a short loop is depends on where its code lies. So there are several of micro, and `turn`, the
             number of the round, says which one a command runs.
"""
import glob
import json
import os
import subprocess

from . import Refused, UsageError

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PREPARE_SECONDS = 300


class Row:
    """`work` is the number of operations of one run; None where the run is the operation."""

    def __init__(self, workload, suite, summary, size=0, threads=1, work=None, unit="run"):
        self.workload, self.suite, self.summary = workload, suite, summary
        self.size, self.threads, self.work, self.unit = size, threads, work, unit
        self.sized = self.threaded = False
        self.size_unit = "B"

    @property
    def id(self):
        return (self.workload + (f"/{self.size}" if self.sized else "") + (f"@{self.threads}" if self.threaded else ""))

    @property
    def title(self):
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.threaded else ""
        return self.workload + (f" {number(self.size, self.size_unit)}" if self.sized else "") + threads

    def prepare(self, directory):
        """Makes what the runs need; raises Refused where it cannot be had."""

    def describe(self):
        return {"id": self.id, "title": self.title, "workload": self.workload, "suite": self.suite, "size": self.size,
                "threads": self.threads, "unit": self.unit, "work": self.work, "operations": self.work or 1,
                "summary": self.summary}


class MicroRow(Row):
    def __init__(self, micro, entry, size, threads):
        super().__init__(entry["name"], entry["suite"], entry["summary"], size or 0, threads or 1, entry["pairs"],
                         entry["unit"])
        self.layouts, self.sized, self.threaded = layouts(micro), size is not None, threads is not None
        self.size_unit = entry.get("size_unit", "B")

    def command(self, work, latency=False, turn=0):
        threads = [str(self.threads)] if self.threaded else []
        micro = self.layouts[turn % len(self.layouts)]
        return [micro, self.workload, str(self.size), str(work), *threads] + ["--latency"] * latency


class AppRow(Row):
    def __init__(self, script):
        super().__init__(os.path.basename(script).removesuffix(".sh"), "apps", script_summary(script))
        self.script, self.directory = script, None

    def prepare(self, directory):
        self.directory = os.path.join(directory, self.workload)
        os.makedirs(self.directory, exist_ok=True)
        try:
            done = subprocess.run([self.script, "prepare", self.directory], stdin=subprocess.DEVNULL, text=True,
                                  capture_output=True, timeout=PREPARE_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise Refused(f"its input was not ready after {PREPARE_SECONDS} s") from error
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise Refused(f"cannot be prepared: {words[-1]}")

    def command(self, _work, _latency=False, _turn=0):
        return [self.script, "run", self.directory]


class CommandRow(Row):
    def __init__(self, command):
        super().__init__(os.path.basename(command[0]), "command", " ".join(command))
        self.words = command

    def command(self, _work, _latency=False, _turn=0):
        return self.words


def layouts(micro):
    """The program, and the same with its code at other places (bench/layout.c)."""
    return [micro, *sorted(glob.glob(glob.escape(micro) + "-[0-9]*"))]


def number(size, unit):
    """A size as people write it: 64 KiB, 10,000 blocks."""
    for prefix, factor in (("M", 1 << 20), ("K", 1 << 10)) if unit == "B" else ():
        if size >= factor and size % factor == 0:
            return f"{size // factor} {prefix}iB"
    return f"{size:,} {unit if size != 1 else unit.removesuffix('s')}"


def script_summary(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("# summary: "):
                return line.removeprefix("# summary: ").strip()
    return ""


def micro_entries(micro):
    """What micro says of its workloads."""
    try:
        done = subprocess.run([micro, "--list"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise UsageError(f"cannot use the workloads ({error}): build them with 'make bench'") from error


def micro_rows(micro):
    return [MicroRow(micro, entry, size, threads) for entry in micro_entries(micro)
            for size in entry["sizes"] or [None] for threads in entry["threads"] or [None]]


def all_rows(micro):
    apps = sorted(glob.glob(os.path.join(BENCH, "apps", "*.sh")))
    return micro_rows(micro) + [AppRow(script) for script in apps if script_summary(script)]


def select(rows, words):
    """The rows that the words name: suites, workloads, workload/size, workload@threads; all but apps without words."""
    if not words:
        return [r for r in rows if r.suite != "apps"]
    chosen = []
    for word in words:
        found = [r for r in rows if word in (r.suite, r.workload, r.id, r.id.partition("@")[0],
                                             f"{r.workload}@{r.threads}")]
        if not found:
            raise UsageError(f"no suite or workload is called '{word}': 'hakmem bench --list' names them")
        chosen += [r for r in found if r not in chosen]
    return chosen
