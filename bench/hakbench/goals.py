"""What hakmem has to reach against all others, and whether the records show it.

Purpose.     One table of goals, and the verdict of each from several records together; of a single record, what it can
             show.
Design.      A ratio is hakmem's to a peer's, the median of the rounds, below 1 is better. The best peer of a row is the
             one that the ratio is largest to. Means are geometric, to each single peer over the rows that both have;
             the best single peer is the one that hakmem's mean time is largest to, and memory is compared with the same
             one. A goal is reached or not by the median alone: an interval that includes the limit excuses nothing.
             Instructions are those inside the library, by callgrind (the sums of the record hotspots): what
             --instructions counts has the loop around the calls in it.
Invariants.  A goal that nothing was measured for is named as such, never left out.
Not here.    Why one is not reached (reasons.py); where all of it is shown (publish.py).
"""
import math
from collections.abc import Callable
from typing import NamedTuple

from .summary import SUBJECT

RECORDS = ("seed", "larson", "threads", "growth", "apps", "hotspots")
REACHED, MISSED, UNMEASURED = "reached", "NOT REACHED", "not measured"
BEST, LEANEST = "the best peer", "the leanest of the three fastest peers"
FASTEST = 3
LEAST_SHARE = 0.5  # of hakmem's rows: a peer that was refused in more is no rival in a mean
DUELS = {"time": "duels", "memory": "memory_duels"}


class Verdict(NamedTuple):
    """`where` is a row's id, or the name of what several rows are judged by together."""
    quantity: str
    where: str
    limit: float
    state: str
    value: float = 0.0
    interval: tuple = ()
    peer: str = ""
    note: str = ""

    @property
    def id(self):
        return f"{self.quantity} of {self.where}"

    @property
    def measured(self):
        digits = 2 if self.quantity == "instructions" else 3
        return f"{self.value:.{digits}f}" + (
            f" [{self.interval[0]:.3f}, {self.interval[1]:.3f}]" if self.interval else "")

    def sentence(self):
        found = self.note if self.state == UNMEASURED else (
            self.measured + (f" of {self.peer}" if self.peer else "") + (f", {self.note}" if self.note else ""))
        return f"{self.id}: {found}; at most {self.limit:.2f}"


class Goal(NamedTuple):
    """Of which rows, how they are judged, the most of each quantity, and against whom if not the best peer."""
    what: str
    judge: Callable
    limits: dict
    against: dict = {}
    suites: tuple = ()
    workloads: tuple = ()
    size: int = None
    threads: tuple = (0, math.inf)

    def covers(self, row):
        return ((not self.suites or row["suite"] in self.suites)
                and (not self.workloads or row["workload"] in self.workloads)
                and self.size in (None, row["size"]) and self.threads[0] <= row["threads"] <= self.threads[1])


class Evidence:
    """The rows of several records, each with its peers, and hakmem's instructions by row."""

    def __init__(self, records):
        self.rows, self.instructions = [], []
        for record, summary in records:
            if record["interrupted"]:
                continue
            peers = {a["name"] for a in record["allocators"] if not is_hakmem(a)}
            self.rows += [dict(row, peers=peers) for row in summary["rows"]]
            self.instructions += library_instructions(record)


def is_hakmem(allocator):
    """Itself or a build of it."""
    return allocator["name"] == SUBJECT or (allocator["version"] or "").startswith(SUBJECT)


def library_instructions(record):
    """The sums of the table of hotspots, as rows."""
    found, row = [], {}
    for title, function, _, value, _ in record.get("hotspots", []):
        if title:
            workload, _, size = title.partition(" ")
            size = size.partition(" ")[0].replace(",", "")
            row = {"id": f"{workload}/{size}", "suite": "seed", "workload": workload, "size": int(size or 0),
                   "threads": 1}
        elif function == "sum":
            found.append((row, float(value)))
    return found


def verdict(quantity, where, limit, value, **more):
    return Verdict(quantity, where, limit, REACHED if value <= limit else MISSED, value, **more)


def unmeasured(quantity, where, limit, note):
    return Verdict(quantity, where, limit, UNMEASURED, note=note)


def ratios(row, quantity):
    return {peer: duel for peer, duel in row[DUELS[quantity]].items() if peer in row["peers"]}


def best(values):
    """The peer that hakmem's ratio is largest to, or None."""
    return max(values, key=values.get) if values else None


def medians(found):
    return {peer: ratio["median"] for peer, ratio in found.items()}


def rival(row, quantity, against):
    """The name of the peer that counts in this row, or None."""
    found = medians(ratios(row, quantity))
    if against == LEANEST:
        times = medians(ratios(row, "time"))
        fastest = sorted(times, key=times.get, reverse=True)[:FASTEST]
        found = {peer: value for peer, value in found.items() if peer in fastest}
    elif against != BEST:
        found = {peer: value for peer, value in found.items() if peer == against}
    return best(found)


def absence(row, against):
    """Why there is nothing to compare."""
    name = against if SUBJECT in row["allocators"] else SUBJECT
    why = row["refused"].get(name)
    return f"{name} was {f'refused: {why}' if why else 'not measured'}"


def by_row(goal, evidence):
    rows = [row for row in evidence.rows if goal.covers(row)]
    for quantity, limit in goal.limits.items():
        against = goal.against.get(quantity, BEST)
        if not rows:
            yield unmeasured(quantity, goal.what, limit, "no row was measured")
        for row in rows:
            peer = rival(row, quantity, against)
            if peer is None:
                yield unmeasured(quantity, row["id"], limit, absence(row, against))
                continue
            ratio = ratios(row, quantity)[peer]
            yield verdict(quantity, row["id"], limit, ratio["median"], interval=(ratio["low"], ratio["high"]),
                          peer=peer, note=against if against == LEANEST else "")


def means(ratios_of_rows):
    """{peer: (geometric mean, rows)} of [{peer: ratio}], for peers that have enough of the rows."""
    values = {}
    for found in ratios_of_rows:
        for peer, ratio in found.items():
            values.setdefault(peer, []).append(math.log(ratio))
    enough = LEAST_SHARE * sum(map(bool, ratios_of_rows))
    return {peer: (math.exp(math.fsum(logs) / len(logs)), len(logs)) for peer, logs in values.items()
            if len(logs) >= enough}


def by_mean(goal, evidence):
    rows = [row for row in evidence.rows if goal.covers(row)]
    missing = [suite for suite in goal.suites if suite not in {row["suite"] for row in rows if row["duels"]}]
    peer = None if missing else best(means([medians(ratios(row, "time")) for row in rows]))
    for quantity, limit in goal.limits.items():
        found = means([medians(ratios(row, quantity)) for row in rows])
        if peer not in found:
            yield unmeasured(quantity, goal.what, limit, f"no row of {', '.join(missing)}" if missing
                             else "no peer has enough rows")
            continue
        value, count = found[peer]
        yield verdict(quantity, goal.what, limit, value, peer=peer,
                      note=f"the best single peer by time, geometric mean over {count} rows")


def latency_ratios(row, call, percentile):
    cells = {name: cell["latency"][call][percentile] for name, cell in row["allocators"].items()
             if cell["latency"] and call in cell["latency"] and cell["latency"][call][percentile] > 0}
    mine = cells.get(SUBJECT)
    return {peer: mine / cells[peer] for peer in cells if peer in row["peers"]} if mine else {}


def by_latency(goal, evidence):
    """The clock's reading is in every number."""
    rows = [row for row in evidence.rows if goal.covers(row)]
    for quantity, limit in goal.limits.items():
        of_rows = [found for row in rows if (found := latency_ratios(row, *quantity.split()))]
        found = means(of_rows)
        peer = best(found)
        if peer is None:
            yield unmeasured(quantity, goal.what, limit, "no row has a latency pass")
            continue
        value, count = found[peer]
        held = sum(max(each.values()) <= limit for each in of_rows)
        yield verdict(quantity, goal.what, limit, value, peer=peer, note=f"geometric mean over {count} rows; "
                      f"{held} of {len(of_rows)} rows hold against the best of each")


def kept_kib(cell):
    """By threads that used the allocator, beyond what they cost without; never less than what can be told."""
    return max(1.0, cell["moments"]["idle"] - cell["moments"]["without"])


def by_kept(goal, evidence):
    rows = [row for row in evidence.rows if goal.covers(row)]
    for quantity, limit in goal.limits.items():
        if not rows:
            yield unmeasured(quantity, goal.what, limit, "no row was measured")
        for row in rows:
            kept = {name: kept_kib(cell) for name, cell in row["allocators"].items()
                    if {"idle", "without"} <= cell["moments"].keys()}
            found = {peer: kept[SUBJECT] / kept[peer] for peer in kept if peer in row["peers"] and SUBJECT in kept}
            peer = best(found)
            if peer is None:
                yield unmeasured(quantity, row["id"], limit, absence(row, BEST))
                continue
            yield verdict(quantity, row["id"], limit, found[peer], peer=peer, note=f"{kept[SUBJECT]:.0f} KiB kept, "
                          f"{kept[peer]:.0f} by the peer")


def by_instructions(goal, evidence):
    found = [(row, value) for row, value in evidence.instructions if goal.covers(row)]
    for quantity, limit in goal.limits.items():
        if not found:
            yield unmeasured(quantity, goal.what, limit, "no hotspots were measured")
        for row, value in found:
            yield verdict(quantity, row["id"], limit, value, note="inside the library, per pair")


PATTERNS = ("lifo", "fifo", "random", "interleaved", "longlived")
GOALS = (
    Goal("the five patterns", by_row, {"time": 1.00}, workloads=PATTERNS),
    Goal("mixed/8192", by_row, {"time": 0.85, "memory": 1.00}, workloads=("mixed",), size=8192),
    Goal("mixed/1048576", by_row, {"time": 0.90, "memory": 1.00}, workloads=("mixed",), size=1_048_576),
    Goal("larson with threads", by_row, {"time": 0.90, "memory": 1.00}, workloads=("larson",), threads=(2, math.inf)),
    Goal("prodcons, ring, asymmetric", by_row, {"time": 0.95, "memory": 0.60}, {"memory": "snmalloc"},
         workloads=("prodcons", "ring", "asymmetric")),
    Goal("realloc growth and calloc", by_row, {"time": 0.80, "memory": 1.00},
         workloads=("stringbuild", "vector", "calloc-small", "calloc-large")),
    Goal("buffers", by_row, {"time": 1.00, "memory": 1.00}, {"time": "mimalloc3", "memory": "mimalloc3"},
         workloads=("buffers",)),
    Goal("real programs", by_row, {"time": 1.00, "memory": 1.00}, {"memory": LEANEST}, suites=("apps",)),
    Goal("all rows", by_mean, {"time": 0.80, "memory": 0.90}, suites=("seed", "larson", "threads", "growth", "apps")),
    Goal("all real programs", by_mean, {"time": 0.93, "memory": 0.90}, suites=("apps",)),
    Goal("all rows", by_latency, {"malloc p99.99": 1.00, "malloc max": 1.00, "free p99.99": 1.00, "free max": 1.00}),
    Goal("idle/1@1000", by_kept, {"memory kept": 0.50}, workloads=("idle",), size=1, threads=(1000, 1000)),
    Goal("the five patterns", by_instructions, {"instructions": 31}, workloads=PATTERNS),
    Goal("mixed/8192", by_instructions, {"instructions": 33}, workloads=("mixed",), size=8192),
)


def evaluate(records):
    """The verdicts of all goals from [(record, summary)]."""
    evidence = Evidence(records)
    return [found for goal in GOALS for found in goal.judge(goal, evidence)]


def shown_by(record, summary):
    """[(sentence, reached)] of the goals that one record has rows for."""
    return [(found.sentence(), found.state == REACHED) for found in evaluate([(record, summary)])
            if found.state != UNMEASURED]
