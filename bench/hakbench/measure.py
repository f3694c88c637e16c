"""The order of the runs.

Purpose.     Fills a record: calibration, timed rounds, the latency pass.
Design.      The work of a row is what its workload declares, more only where this machine does that in less than a
             sample should last; it is settled once, with the baseline, and is the same for all allocators and rounds.
             A round runs every row once, in random order, and the allocators of a row right after each other, in random
             order. What disturbs a machine comes and goes in seconds: it meets all allocators of a row's round, and
             their ratio, taken round by round, is much steadier than the time of any. Short samples and many of them
             make that work. What the places of code in memory do to a row, a round has in common, and the next one has
             other places.
Invariants.  Who is refused in a row once is out of it; the others go on. An interrupt ends the rounds, and what was
             measured stays.
"""
import random
import signal
import statistics
import time

from . import Refused, counters, record as book
from .progress import Progress

SAMPLE_NS = 2e6
LONG_NS = 5e8  # a run that is worth fewer repeats
LATENCY_REPEATS = 5
LATENCY_OPERATIONS = 200_000
LATENCY_NS = 1e9  # fewer operations where the baseline needs longer for these


def latency_work(work, pair_ns):
    """Pairs of a latency run: enough for the far percentiles if that is no burden, and the timed run's in any case."""
    return max(work, min(LATENCY_OPERATIONS, round(LATENCY_NS / pair_ns)))


class Measurement:
    def __init__(self, record, rows, allocators, runner, seed):
        self.record, self.rows, self.allocators, self.runner = record, rows, allocators, runner
        self.order, self.progress = random.Random(seed), Progress()
        self.long = {row: row.unit == "run" for row in rows}
        self.latency_work = {}  # by calibration

    def refuse(self, row, allocators, why):
        for allocator in allocators:
            if not book.is_refused(self.record, row.id, allocator.name):
                book.refuse(self.record, row.id, allocator.name, why)

    def present(self, row):
        return [a for a in self.allocators if not book.is_refused(self.record, row.id, a.name)]

    def prepare(self, refused):
        """`refused`: {allocator name: why} of those that can run nowhere."""
        for row in self.rows:
            for allocator in self.allocators:
                if allocator.name in refused:
                    self.refuse(row, [allocator], refused[allocator.name])
            try:
                row.prepare(self.runner.scratch.name)
            except Refused as why:
                self.refuse(row, self.allocators, str(why))

    def calibrate(self, row):
        """More work where the declared one is too short to be timed. By the first that serves, the baseline first."""
        line = next(r for r in self.record["rows"] if r["id"] == row.id)
        for allocator in self.present(row):
            try:
                sample = self.runner.run(row, allocator, row.work)
            except Refused as why:
                self.refuse(row, [allocator], str(why))
                continue
            factor = 1
            while sample["ns"] * sample["work"] * factor < SAMPLE_NS:
                factor *= 2
            row.work *= factor
            line.update(work=row.work, operations=sample["work"] * factor)
            self.long[row] = sample["wall_ns"] > LONG_NS
            self.latency_work[row] = latency_work(row.work, sample["ns"]) if row.unit == "pair" else row.work
            break

    def one(self, row, allocator, key, what, step):
        """What `step` gives, or None if it was refused."""
        start = time.monotonic()
        try:
            return step()
        except Refused as why:
            self.refuse(row, [allocator], str(why))
            return None
        finally:
            self.progress.done(key, time.monotonic() - start, what)

    def rounds(self, repeats_of, latency):
        """Every timed run, then the latency pass; `repeats_of(long)` is how often."""
        for row in self.rows:
            if row.unit != "run":
                self.calibrate(row)
        timed = {row: repeats_of(self.long[row]) for row in self.rows}
        curves = {row: 1 if self.long[row] else LATENCY_REPEATS for row in self.rows if row.unit != "run" and latency}
        for kind, plan in (("time", timed), ("latency", curves)):
            for row, repeats in plan.items():
                self.progress.expect((row.id, kind), repeats * len(self.present(row)))
        for at in range(max(timed.values())):
            due = [row for row in self.rows if at < timed[row]]
            for row in self.order.sample(due, len(due)):
                self.round(row, at, timed[row])
        for at in range(max(curves.values(), default=0)):
            due = [row for row in curves if at < curves[row]]
            for row in self.order.sample(due, len(due)):
                self.latency_round(row, at, curves[row])

    def round(self, row, at, repeats):
        for allocator in self.order.sample(present := self.present(row), len(present)):
            sample = self.one(row, allocator, (row.id, "time"), f"{row.title}  {allocator.name}",
                              lambda: self.runner.run(row, allocator, row.work, turn=at))
            if sample:
                book.add_sample(self.record, row.id, allocator.name, at, sample)
            else:
                self.progress.skip((row.id, "time"), repeats - at - 1)

    def latency_round(self, row, at, repeats):
        for allocator in self.order.sample(present := self.present(row), len(present)):
            sample = self.one(row, allocator, (row.id, "latency"), f"latency of {row.title}  {allocator.name}",
                              lambda: self.runner.run(row, allocator, self.latency_work[row], True, at))
            if sample and "latency_ns" in sample:
                book.cell(self.record, row.id, allocator.name)["latency"].append(
                    {"round": at, "curve": sample.get("latency_curve", []), **sample["latency_ns"]})
            elif not sample:
                self.progress.skip((row.id, "latency"), repeats - at - 1)

    def count(self, method, repeats):
        """Events per operation, of rows that the method suits."""
        for row in self.rows:
            cells = next(r for r in self.record["rows"] if r["id"] == row.id)["cells"]
            for allocator in self.present(row):
                ns = statistics.median(cells[allocator.name]["ns"]) * (row.work or 1)
                if counters.suits(method, row, ns):
                    key, what = (row.id, "count"), f"events of {row.title}  {allocator.name}"
                    self.progress.expect(key, 1)
                    self.one(row, allocator, key, what, lambda: self.counted(method, row, allocator, repeats))

    def counted(self, method, row, allocator, repeats):
        found = counters.per_operation(method, row, allocator, repeats)
        book.cell(self.record, row.id, allocator.name)["counters"] = found
        return found

    def take(self, repeats_of, latency, method, repeats):
        """The passes in turn. An interrupt skips what is left."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.runner.interrupt)
        try:
            self.rounds(repeats_of, latency)
            if method:
                self.count(method, repeats)
        except KeyboardInterrupt:
            self.record["interrupted"] = True
        finally:
            self.progress.close()
