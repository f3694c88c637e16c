"""One run: a fresh process, its numbers, and the proof of who served it.

Purpose.     Turns (row, allocator) into a sample, or into the reason why there is none.
Design.      Every timed run is started by `hakmem verify --allocator`, which looks into every process of it and exits
             with 0 only if the allocator named served them all. The program micro says besides which objects its own
             malloc and free are bound to, which is all the proof there is under valgrind. What could tune an allocator
             or slip another one in is taken out of the environment; a variable of random length is put in, because
             where the stack begins changes the speed of a program, and every allocator should meet every place.
             The threads of micro, which starts no process, are left alone: being looked at makes the start of one cost
             three times as much. Of whole programs every thread is followed, since any may start a process.
Invariants.  No sample without proof.
Not here.    Order and number of runs (measure.py).
"""
import json
import os
import random
import signal
import subprocess
import tempfile

from . import Refused

RUN_SECONDS = 600
DROPPED = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GLIBC_TUNABLES", "MALLOC_", "HAKMEM_", "MIMALLOC_",
           "JE_MALLOC", "TCMALLOC_", "TBB_MALLOC")
# of the usage that `hakmem verify` reports
USAGE = {"wall_ns": "wall_ns", "user_us": "user_us", "system_us": "system_us", "peak_kib": "peak_rss_kib",
         "mean_kib": "mean_rss_kib", "minor_faults": "minor_faults", "major_faults": "major_faults"}


class Runner:
    def __init__(self, command, cpus, seed):
        self.hakmem, self.cpus = command, cpus
        self.interrupted = self.waiting = False
        self.random = random.Random(seed)
        self.outputs = {}  # of real programs, by row: who measured first says what is right
        self.scratch = tempfile.TemporaryDirectory(prefix="hakmem-bench-")
        self.report = os.path.join(self.scratch.name, "report.json")

    def interrupt(self, _signal, _frame):
        """Takes effect while a run is waited for, or before the next: what is being written down is written whole."""
        self.interrupted = True
        if self.waiting:
            raise KeyboardInterrupt

    def cpus_of(self, row):
        """One thread gets one cpu, the last, where the fewest interrupts go; everything else gets all of them."""
        return self.cpus if row.unit == "run" or row.threaded or row.suite == "threads" else self.cpus[-1:]

    def environment(self, allocator):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(DROPPED)}
        environment.update(allocator.settings, BENCH_PADDING="x" * self.random.randrange(4096))
        return environment

    def start(self, row, allocator, command, environment=None):
        """(exit status, standard output, standard error) of a command on the row's cpus."""
        if self.interrupted:
            raise KeyboardInterrupt
        cpus = self.cpus_of(row)
        process = subprocess.Popen(command, env=environment or self.environment(allocator), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                                   start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        try:
            self.waiting = True
            out, err = process.communicate(timeout=RUN_SECONDS)
        except BaseException as error:
            self.waiting = False
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise Refused(f"no result after {RUN_SECONDS} s") from None
            raise
        self.waiting = False
        return process.returncode, out, err

    def run(self, row, allocator, work, latency=False, turn=0):
        """The sample of one proved run."""
        words = [self.hakmem, "verify", "--allocator", allocator.path or "libc", "--usage", "--json", "--output",
                 self.report, *(["--leave-threads"] if row.unit != "run" else []), "--",
                 *row.command(work, latency, turn)]
        if os.path.exists(self.report):
            os.unlink(self.report)
        status, out, err = self.start(row, allocator, words)
        report = self.read_report(status, err)
        if status != 0 or not report["proved"]:
            raise Refused(culprit(report, allocator))
        if report.get("signal") or report.get("exit_status"):
            end = f"signal {report['signal']}" if report.get("signal") else f"exit status {report['exit_status']}"
            raise Refused(f"the program ended with {end}: {last_line(err)}")
        sample = {name: report["usage"][key] for name, key in USAGE.items()}
        sample["rss"] = report["usage"].get("samples", [])
        sample["allocations"] = report.get("total", {}).get("allocations", 0)
        sample["processes"] = len(report["processes"])
        if row.unit == "run":
            self.same_output(row, allocator, out)
            sample["ns"] = sample["wall_ns"]
            return sample
        own = self.read_micro(out, err, allocator)
        sample.update(ns=own["ns_per_pair"], work=own["pairs"])
        sample.update({key: own[key] for key in ("latency_ns", "latency_curve") if key in own})
        if "hakmem_counters" in own:
            sample["counters"] = own["hakmem_counters"]
        sample["moments"] = {key.removeprefix("rss_kib_"): own[key] for key in own if key.startswith("rss_kib_")}
        return sample

    def read_report(self, status, err):
        try:
            with open(self.report, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            raise Refused(f"hakmem verify could not look (exit status {status}): {last_line(err)}") from None

    @staticmethod
    def read_micro(out, err, allocator):
        """What micro printed, if malloc and free were bound to this allocator."""
        if err.strip():
            raise Refused(f"micro complains: {last_line(err)}")
        try:
            own = json.loads(out)
        except ValueError:
            raise Refused("micro printed no result") from None
        for function in ("malloc", "free"):
            served_by = os.path.realpath(own[function])
            right = (served_by == os.path.realpath(allocator.path) if allocator.path
                     else os.path.basename(served_by).startswith(("libc.so", "libc-")))
            if not right:
                raise Refused(f"{function} was served by {served_by}, not by {allocator.path or 'libc'}")
            counted = own.get(f"hakmem_{function}s")
            if allocator.name == "hakmem" and counted is not None and counted < own["calls"][function]:
                raise Refused(f"hakmem's own books have {counted} of {own['calls'][function]} calls of {function}")
        return own

    def same_output(self, row, allocator, out):
        """A real program has to do the same under each allocator; a user's command may print what it likes."""
        if row.suite != "apps":
            return
        first, expected = self.outputs.setdefault(row.id, (allocator.name, out))
        if out != expected:
            raise Refused(f"its result differs from the one under {first}")


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


def culprit(report, allocator):
    """Who served instead, in one line."""
    for process in report.get("processes", []):
        for words in process.get("culprits", []):
            return words
        if process.get("failure"):
            return process["failure"]
    return f"not proved: {allocator.path or 'libc'} did not serve every call"
