"""Events per operation: from the processor's counters, or from callgrind.

Purpose.     Instructions, cycles and misses of a row, and what cannot be had by name.
Design.      Both count a whole process. So it is run with some work and with three times as much, and the difference is
             shared by the operations between the two: start and end cancel out. The processor's counters are opened on
             a child that waits for them, and begin at its exec. Where the kernel has none, `--instructions` asks
             callgrind, which simulates caches and branches and knows neither cycles nor the TLB.
             No process is looked into while it is counted: the proof is what micro says of its own malloc and free.
Invariants.  An event that could not be counted is None, never 0.
Not here.    Where in the program the instructions are (hotspots.py).
"""
import ctypes
import os
import platform
import shutil
import statistics
import struct

from . import Refused
from .runner import RUN_SECONDS, last_line

EVENTS = ("instructions", "cycles", "IPC", "branch misses", "L1d misses", "LLC misses", "dTLB misses")
HARDWARE, CACHE = 0, 3
READ_MISS = 1 << 16
CODES = {"instructions": (HARDWARE, 1), "cycles": (HARDWARE, 0), "branch misses": (HARDWARE, 5),
         "L1d misses": (CACHE, READ_MISS), "LLC misses": (HARDWARE, 3), "dTLB misses": (CACHE, 3 | READ_MISS)}
SIMULATED = {"instructions": ("Ir",), "branch misses": ("Bcm", "Bim"), "L1d misses": ("D1mr", "D1mw"),
             "LLC misses": ("ILmr", "DLmr", "DLmw")}
SYSCALL = {"x86_64": 298, "aarch64": 241}
DISABLED, INHERIT, EXCLUDE_KERNEL, ENABLE_ON_EXEC = 1, 2, 1 << 5, 1 << 12
ATTRIBUTE_BYTES = 64
TIMES = 1 | 2  # what the file says besides the count: how long it was enabled, and how long it was running
REPEATS = 5
CALLGRIND_MOST_NS = 5e7  # it is some fifty times slower


def open_counter(kind, config, pid):
    """A file descriptor, or the error's text."""
    flags = DISABLED | INHERIT | EXCLUDE_KERNEL | ENABLE_ON_EXEC
    attribute = struct.pack("<IIQQQQQ", kind, ATTRIBUTE_BYTES, config, 0, 0, TIMES, flags).ljust(ATTRIBUTE_BYTES, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(SYSCALL.get(platform.machine(), -1), attribute, pid, -1, -1, 0)
    return found if found >= 0 else os.strerror(ctypes.get_errno())


def offered(codes=None):
    """({event: code} that this kernel counts, {event: why not})."""
    working, absent = {}, {}
    for event, code in (codes or CODES).items():
        found = open_counter(*code, 0)
        if isinstance(found, int):
            os.close(found)
            working[event] = code
        else:
            absent[event] = found
    return working, absent


def count_run(command, environment, cpus, codes):
    """({event: count}, output) of a process, counted from its exec to its end, in user mode."""
    go_read, go_write = os.pipe()
    out_read, out_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.sched_setaffinity(0, cpus)
            os.dup2(out_write, 1)
            os.read(go_read, 1)
            os.execvpe(command[0], command, environment)
        finally:
            os._exit(127)
    for end in (out_write, go_read):
        os.close(end)
    counters = {event: open_counter(*code, child) for event, code in codes.items()}
    os.write(go_write, b"x")
    os.close(go_write)
    with os.fdopen(out_read, encoding="utf-8", errors="replace") as file:
        out = file.read()
    _, status = os.waitpid(child, 0)
    counts = {event: read_counter(counter) for event, counter in counters.items() if isinstance(counter, int)}
    if status != 0:
        raise Refused(f"{command[0]} ended with wait status {status}")
    return counts, out


def read_counter(counter):
    """The count, scaled up where events took turns; None if it never ran."""
    value, enabled, running = struct.unpack("<QQQ", os.read(counter, 24))
    os.close(counter)
    return value * enabled / running if running else None


class Hardware:
    """Counts with the processor."""

    def __init__(self, starter, codes):
        self.starter, self.codes = starter, codes

    def count(self, row, allocator, work):
        environment = self.starter.environment(allocator)
        if allocator.path:
            environment["LD_PRELOAD"] = allocator.path
        counts, out = count_run(row.command(work), environment, self.starter.cpus_of(row), self.codes)
        return counts, operations(row, out, allocator, self.starter)


class Callgrind:
    """Counts by simulation."""

    def __init__(self, starter):
        self.starter, self.out = starter, os.path.join(starter.scratch.name, "callgrind.out")

    def profile(self, row, allocator, work, *more):
        """(files that callgrind wrote, operations)."""
        for name in os.listdir(self.starter.scratch.name):
            if name.startswith("callgrind.out"):
                os.unlink(os.path.join(self.starter.scratch.name, name))
        environment = self.starter.environment(allocator)
        if allocator.path:
            environment["LD_PRELOAD"] = allocator.path
        words = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={self.out}.%p",
                 "--trace-children=yes", *more, *row.command(work)]
        status, out, err = self.starter.start(row, allocator, words, environment)
        if status != 0:
            raise Refused(f"callgrind ended with exit status {status}: {last_line(err)}")
        files = [os.path.join(self.starter.scratch.name, n) for n in os.listdir(self.starter.scratch.name)
                 if n.startswith("callgrind.out")]
        return files, operations(row, out, allocator, self.starter)

    def count(self, row, allocator, work):
        files, done = self.profile(row, allocator, work, "--cache-sim=yes", "--branch-sim=yes")
        sums = {}
        for path in files:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = dict(line.rstrip("\n").split(": ", 1) for line in file
                             if line.startswith(("events: ", "totals: ")))
            for event, value in zip(lines["events"].split(), lines["totals"].split()):
                sums[event] = sums.get(event, 0) + int(value)
        return {event: sum(sums[part] for part in parts) for event, parts in SIMULATED.items()}, done


def operations(row, out, allocator, starter):
    if row.unit == "run":
        return 1
    return starter.read_micro(out, "", allocator)["pairs"]


def per_operation(method, row, allocator, repeats):
    """{event: per operation}, the median of `repeats`; a whole program's events are its own."""
    taken = []
    for _ in range(repeats):
        counts, done = method.count(row, allocator, row.work)
        if row.unit != "run":
            more, more_done = method.count(row, allocator, row.work * 3)
            counts = {event: None if value is None or more.get(event) is None
                      else max(0.0, (more[event] - value) / (more_done - done)) for event, value in counts.items()}
        taken.append(counts)
    found = {event: statistics.median(values) for event in taken[0]
             if None not in (values := [counts[event] for counts in taken])}
    if found.get("instructions") and found.get("cycles"):
        found["IPC"] = found["instructions"] / found["cycles"]
    return {event: found.get(event) for event in EVENTS}


def choose(starter, by_callgrind):
    """(method or None, repeats, what the report says of it)."""
    working, absent = offered()
    reasons = "; ".join(f"{', '.join(e for e in absent if absent[e] == why)} ({why})"
                        for why in dict.fromkeys(absent.values()))
    if working and not by_callgrind:
        return Hardware(starter, working), REPEATS, "counted by the processor in user mode" + (
            f"; the kernel does not offer {reasons}" if absent else "")
    missing = f"perf_event_open does not offer {reasons}" if absent else ""
    if not by_callgrind:
        return None, 0, f"missing: {missing}; --instructions counts under callgrind"
    if not shutil.which("valgrind"):
        return None, 0, f"missing: valgrind is not installed (apt install valgrind); {missing}"
    return Callgrind(starter), 1, ("counted under callgrind, caches and branches simulated; it has no cycles, IPC and "
                                   f"TLB misses; rows that take long or have threads are left out. {missing}").strip()


def suits(method, row, seconds_ns):
    """Threads that wait for each other never end under callgrind's one thread at a time."""
    if isinstance(method, Callgrind) and row.unit != "run":
        return not row.threaded and row.suite != "threads" and seconds_ns < CALLGRIND_MOST_NS
    return row.unit == "run" or seconds_ns * 4 * REPEATS < RUN_SECONDS * 1e9
