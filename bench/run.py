#!/usr/bin/env python3
"""bench/run.py: the workloads of bench/micro under several allocators, side by side, with proof of who served.

Purpose.     One table: median nanoseconds per malloc+free pair for each row and allocator, and how hakmem stands
             against the one of the others that it stands worst against. Losses are printed as plainly as wins; no
             combined score.
Design.      A fresh process per sample. Each round runs every row once, rows in random order, and the allocators of a
             row right after each other in random order. Samples are short (1 ms) and many: what disturbs a machine
             comes and goes in seconds, so it meets all allocators of a round, and the ratio of two of them, taken
             round by round, is much steadier than either's time. "quiet" is the ratio of the fastest tenths, where
             little disturbed either: where it and the ratio disagree, the machine was too busy to say. Fixed work, not
             fixed time. Raw samples can be kept (--json, --csv).
Invariants.  No sample without proof: the process names the objects that its malloc and free are bound to, and for
             hakmem its own books must have counted every pair. A row whose provider is not the one named is refused
             and the exit status is 1.
Not here.    Instruction counts (test/golden/fast_path.sh).
"""
import argparse
import csv
import json
import os
import platform
import random
import statistics
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATTERNS = ("lifo", "fifo", "random", "interleaved", "longlived")
SIZES = (16, 32, 64, 128)
PAIRS = {"mixed": 100_000, "larson": 400_000, "handoff": 100_000}
PATTERN_PAIRS = 100_000  # half a millisecond: most samples fit between two interruptions of a busy machine
SIZED = PATTERNS + ("handoff",)
PEERS = {
    "mimalloc": ("libmimalloc.so.2.0", "libmimalloc2.0"),
    "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
}
THE_FOUR = ("libc",) + tuple(PEERS)
LEVEL = 1.03          # what still counts as equally fast
MIXED_TARGET = 0.85   # of the best of the four
RUN_SECONDS = 120
# Anything that would tune an allocator or slip another one in.
DROPPED = ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GLIBC_TUNABLES", "MALLOC_", "HAKMEM_", "MIMALLOC_",
           "JE_MALLOC", "TCMALLOC_")


def fail(problem):
    """Bad usage, or nothing to measure with."""
    print(f"run.py: {problem}", file=sys.stderr)
    sys.exit(2)


class Refused(Exception):
    """The named allocator did not, or cannot, serve the run."""


def elf_identity(path):
    """(class, machine) of an ELF file and the set of names that its dynamic symbol table defines."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 64 or data[:4] != b"\x7fELF":
        raise Refused(f"{path}: not an ELF file")
    if data[4] != 2 or data[5] != 1:
        raise Refused(f"{path}: wrong architecture (not 64-bit little-endian)")
    machine = struct.unpack_from("<H", data, 18)[0]
    table, entry_size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    defined = set()
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry_size) for i in range(count)]
    for section in sections:
        if section[1] != 11:  # SHT_DYNSYM
            continue
        strings = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], 24):
            name, _, _, index = struct.unpack_from("<IBBH", data, at)
            if index != 0:
                begin = strings + name
                defined.add(data[begin:data.index(b"\0", begin)].decode())
    return machine, defined


class Allocator:
    """A name, the library to preload (None for libc), and environment settings of its own."""

    def __init__(self, name, path=None, settings=()):
        self.name, self.path, self.settings = name, path, dict(settings)

    def check(self, micro_machine):
        """Refuses what ld.so would only warn about."""
        if self.path is None:
            return
        if not os.path.isfile(self.path):
            raise Refused(f"{self.path}: no such file")
        try:
            machine, defined = elf_identity(self.path)
        except (struct.error, IndexError, ValueError, OSError) as error:
            raise Refused(f"{self.path}: cannot be read as an ELF file ({error})") from error
        if machine != micro_machine:
            raise Refused(f"{self.path}: wrong architecture (ELF machine {machine}, this benchmark is {micro_machine})")
        for symbol in ("malloc", "free"):
            if symbol not in defined:
                raise Refused(f"{self.path}: exports no {symbol}")

    def environment(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(DROPPED)}
        if self.path is not None:
            environment["LD_PRELOAD"] = self.path
        environment.update(self.settings)
        return environment

    def prove(self, sample):
        """Raises unless this allocator, and no other, served the sample."""
        for function in ("malloc", "free"):
            served_by = os.path.realpath(sample[function])
            if self.path is None:
                right = os.path.basename(served_by).startswith(("libc.so", "libc-", "ld-musl"))
            else:
                right = served_by == os.path.realpath(self.path)
            if not right:
                raise Refused(f"{function} was served by {served_by}, not by {self.path or 'libc'}")
        if self.name.startswith("hakmem"):
            if "hakmem_absent" in sample:
                raise Refused(sample["hakmem_absent"])
            for counter in ("hakmem_mallocs", "hakmem_frees"):
                if sample[counter] < sample["pairs"]:
                    raise Refused(f"{counter}: only {sample[counter]} of {sample['pairs']} in hakmem's own books")


def library_path(names):
    """The first of the file names in the machine's library directories, or None."""
    triplet = f"{platform.machine()}-linux-gnu"
    for name in names:
        for directory in (f"/usr/lib/{triplet}", f"/lib/{triplet}", "/usr/lib64", "/usr/lib", "/usr/local/lib"):
            if os.path.isfile(os.path.join(directory, name)):
                return os.path.join(directory, name)
    return None


def parse_allocator(text):
    """name=path.so[,VAR=VALUE...]; libc=[,VAR=VALUE...] takes no path."""
    name, separator, rest = text.partition("=")
    path, *settings = rest.split(",")
    if not separator or not name or any("=" not in s for s in settings) or (not path and name != "libc"):
        fail(f"bad allocator '{text}' (name=path.so[,VAR=VALUE...])")
    return Allocator(name, os.path.abspath(path) if path else None, (s.split("=", 1) for s in settings))


def default_allocators(hakmem):
    found = [Allocator("libc")]
    for name, (file, _) in PEERS.items():
        found.append(Allocator(name, library_path((file,)) or file))
    return found + [Allocator("hakmem", os.path.abspath(hakmem))]


def parse_rows(text):
    if text == "default":
        return [(p, s) for p in PATTERNS for s in SIZES] + [("mixed", 0), ("larson", 0), ("handoff", 64)]
    rows = []
    for word in text.split(","):
        name, _, size = word.partition(":")
        if name not in SIZED and name not in PAIRS or not (size or "0").isdigit():
            fail(f"no such row '{word}' (workload[:size], workloads: {' '.join(dict.fromkeys((*SIZED, *PAIRS)))})")
        if name not in SIZED:
            rows.append((name, 0))
        else:
            rows.extend((name, s) for s in ([int(size)] if size else SIZES))
    return rows


def row_name(row):
    return f"{row[0]} {row[1]} B" if row[1] else row[0]


def run_once(micro, allocator, row, scale):
    pairs = max(1, int(PAIRS.get(row[0], PATTERN_PAIRS) * scale))
    try:
        done = subprocess.run([micro, row[0], str(row[1]), str(pairs)], env=allocator.environment(),
                              capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise Refused(f"no result after {RUN_SECONDS} s") from error
    if done.returncode != 0 or done.stderr.strip():
        raise Refused(f"exit status {done.returncode}: {done.stderr.strip() or 'no message'}")
    sample = json.loads(done.stdout)
    allocator.prove(sample)
    return sample


def measure(options, rows, allocators, refused):
    """samples[row][name] = list of samples; whoever is refused once is out of that row."""
    order = random.Random(options.seed)
    samples = {row: {a.name: [] for a in allocators} for row in rows}
    for repeat in range(options.repeats):
        for row in order.sample(rows, len(rows)):
            for allocator in order.sample(allocators, len(allocators)):
                if (row, allocator.name) in refused:
                    continue
                try:
                    sample = run_once(options.micro, allocator, row, options.scale)
                except Refused as why:
                    refused[row, allocator.name] = str(why)
                    samples[row][allocator.name] = []
                    continue
                samples[row][allocator.name].append(sample)
        if sys.stderr.isatty():
            print(f"\rround {repeat + 1} of {options.repeats}", end="\n" if repeat + 1 == options.repeats else "",
                  file=sys.stderr)
    return samples


def medians(samples, key="ns_per_pair"):
    return {row: {name: statistics.median(s[key] for s in taken) for name, taken in by_name.items() if taken}
            for row, by_name in samples.items()}


def spread(taken):
    """Half the distance between the quartiles, of the median."""
    values = sorted(s["ns_per_pair"] for s in taken)
    if len(values) < 4:
        return None
    quartiles = statistics.quantiles(values, n=4)
    return (quartiles[2] - quartiles[0]) / 2 / statistics.median(values)


def fastest_tenth(taken):
    return sorted(s["ns_per_pair"] for s in taken)[(len(taken) - 1) // 10]


def standing(by_name, among=None):
    """(peer, ratio, quiet) of the other that hakmem stands worst against, and the worst ratio of the fastest tenths."""
    peer, worst, quiet = None, 0.0, 0.0
    for name, taken in by_name.items():
        if not taken or not by_name.get("hakmem") or name.startswith("hakmem") or (among and name not in among):
            continue
        ratio = statistics.median(h["ns_per_pair"] / p["ns_per_pair"] for h, p in zip(by_name["hakmem"], taken))
        if ratio > worst:
            peer, worst = name, ratio
        quiet = max(quiet, fastest_tenth(by_name["hakmem"]) / fastest_tenth(taken))
    return peer, worst, quiet


def verdict(ratio):
    return "win" if ratio < 1 / LEVEL else "level" if ratio <= LEVEL else "LOSS"


def print_table(rows, names, samples, table):
    width = max(9, max(map(len, names)) + 1)
    print("\nnanoseconds per malloc+free pair, median of fresh processes (lower is better)")
    print("ratio: hakmem / best other, median of the ratios of each round")
    print(f"{'row':<18}" + "".join(f"{n:>{width}}" for n in names) +
          f"{'noise':>8}  {'best other':<10}{'ratio':>6}{'quiet':>7}")
    tally = {"win": 0, "level": 0, "LOSS": 0}
    for row in rows:
        by_name = table[row]
        cells = "".join(f"{by_name[n]:>{width}.2f}" if n in by_name else f"{'refused':>{width}}" for n in names)
        noises = [s for s in (spread(taken) for taken in samples[row].values() if taken) if s is not None]
        noise = f"{max(noises) * 100:>6.1f} %" if noises else f"{'-':>8}"
        peer, ratio, quiet = standing(samples[row])
        tail = ""
        if peer:
            tally[verdict(ratio)] += 1
            tail = f"{peer:<10}{ratio:>6.2f}{quiet:>7.2f}  {verdict(ratio)}"
        print(f"{row_name(row):<18}{cells}{noise}  {tail}")
    if any(tally.values()):
        print(f"hakmem against the best other of each row: {tally['win']} wins, {tally['level']} level (within "
              f"{round((LEVEL - 1) * 100)} %), {tally['LOSS']} losses")


def print_memory(rows, names, samples):
    wanted = [r for r in rows if r[0] in PAIRS]
    if wanted:
        print("\npeak resident memory, KiB, median")
        table = medians({r: samples[r] for r in wanted}, "peak_kib")
        for row in wanted:
            print(f"{row_name(row):<18}" + "   ".join(f"{n} {table[row][n]:.0f}" for n in names if n in table[row]))


def print_targets(rows, samples, table):
    """The goals for speed; returns how many rows miss theirs or could not be judged."""
    print(f"\nreached when: hakmem against the best of {', '.join(THE_FOUR)}")
    print(f"{'row':<18}{'hakmem':>8}{'best':>8}  {'that is':<10}{'ratio':>7}{'quiet':>7}{'limit':>7}")
    missed = 0
    judged = [r for r in rows if r[0] in PATTERNS or r[0] == "mixed"]
    for row in judged:
        by_name = table[row]
        limit = MIXED_TARGET if row[0] == "mixed" else LEVEL
        absent = [n for n in THE_FOUR + ("hakmem",) if n not in by_name]
        if absent:
            missed += 1
            print(f"{row_name(row):<18}not judged: no sample of {', '.join(absent)}")
            continue
        peer, ratio, quiet = standing(samples[row], THE_FOUR)
        value = by_name[peer]
        missed += ratio > limit
        print(f"{row_name(row):<18}{by_name['hakmem']:>8.2f}{value:>8.2f}  "
              f"{peer:<10}{ratio:>7.3f}{quiet:>7.3f}{limit:>7.2f}  "
              f"{'reached' if ratio <= limit else 'NOT REACHED'}")
    print(f"{len(judged) - missed} of {len(judged)} reached")
    return missed


def machine_facts():
    facts = {"machine": platform.machine(), "kernel": platform.release(), "processors": os.cpu_count(),
             "libc": " ".join(platform.libc_ver()), "load": os.getloadavg()}
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
        facts["processor"] = next((l.split(":", 1)[1].strip() for l in info if l.startswith("model name")), "?")
    return facts


def write_raw(options, facts, allocators, samples, refused):
    if options.json:
        document = {
            "facts": facts, "repeats": options.repeats, "scale": options.scale, "seed": options.seed,
            "allocators": {a.name: {"path": a.path, "settings": a.settings} for a in allocators},
            "refused": [{"row": row_name(r), "allocator": n, "why": w} for (r, n), w in refused.items()],
            "samples": [dict(s, allocator=n) for by_name in samples.values() for n, t in by_name.items() for s in t],
        }
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
    if options.csv:
        with open(options.csv, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("workload", "size", "allocator", "round", "pairs", "ns_per_pair", "peak_kib", "object"))
            for by_name in samples.values():
                for name, taken in by_name.items():
                    for repeat, s in enumerate(taken):
                        writer.writerow((s["workload"], s["size"], name, repeat, s["pairs"], s["ns_per_pair"],
                                         s["peak_kib"], s["malloc"]))


def parse_arguments():
    build = os.environ.get("BUILD_DIR", os.path.join(ROOT, "build"))
    parser = argparse.ArgumentParser(description="Benchmarks allocators side by side, with proof of who served.")
    parser.add_argument("extra", nargs="*", metavar="NAME=PATH.so[,VAR=VALUE...]", help="a further allocator")
    parser.add_argument("--only", help="comma-separated names of the allocators to run")
    parser.add_argument("--rows", default="default", help="comma-separated workload[:size], e.g. lifo:16,mixed")
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the pairs of every run")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs")
    parser.add_argument("--micro", default=os.path.join(build, "bench", "micro"))
    parser.add_argument("--hakmem", default=os.environ.get("TEST_SO", os.path.join(build, "libhakmem.so")))
    parser.add_argument("--json", help="file for the raw samples")
    parser.add_argument("--csv", help="file for the raw samples")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    if options.repeats < 1 or options.scale <= 0:
        parser.error("--repeats must be at least 1 and --scale above 0")
    return options


def main():
    options = parse_arguments()
    allocators = {a.name: a for a in default_allocators(options.hakmem)}
    allocators.update((a.name, a) for a in map(parse_allocator, options.extra))
    if options.only:
        unknown = set(options.only.split(",")) - set(allocators)
        if unknown:
            fail(f"no such allocator: {', '.join(sorted(unknown))}")
        allocators = {n: a for n, a in allocators.items() if n in options.only.split(",")}
    rows, allocators, refused = parse_rows(options.rows), list(allocators.values()), {}
    try:
        micro_machine = elf_identity(options.micro)[0]
    except (OSError, Refused) as error:
        fail(f"cannot use the benchmark program: {error}")
    for allocator in allocators:
        try:
            allocator.check(micro_machine)
        except Refused as why:
            refused.update({(row, allocator.name): str(why) for row in rows})
    facts = machine_facts()
    print(f"{facts['processor']}, {facts['processors']} processors, Linux {facts['kernel']}, {facts['libc']}, "
          f"load {facts['load'][0]:.1f}; {options.repeats} repeats, seed {options.seed}")
    samples = measure(options, rows, allocators, refused)
    table, names = medians(samples), [a.name for a in allocators]
    print_table(rows, names, samples, table)
    print_memory(rows, names, samples)
    missed = print_targets(rows, samples, table) if "hakmem" in names else 0
    for name in names:
        reasons = {}
        for (row, refused_name), why in refused.items():
            if refused_name == name:
                reasons.setdefault(why, []).append(row_name(row))
        for why, where in reasons.items():
            print(f"refused: {name}: {why} ({len(where)} of {len(rows)} rows)")
    load = os.getloadavg()[0]
    if load > 2:  # of which 1 to 2 is ours
        print(f"the machine was busy with other things (load {load:.1f}): look at the quiet ratios")
    write_raw(options, facts, allocators, samples, refused)
    return 1 if refused or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
