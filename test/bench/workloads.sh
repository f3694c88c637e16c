#!/bin/bash
# test/bench/workloads.sh
# Purpose.     Every workload of bench/micro runs on libc and on hakmem, with each call timed and without, and makes
#              exactly the calls that it reports: hakmem's books, and the histograms, have counted the same.
# Design.      Little work: the smallest size, 1 pair, 2 threads where a workload takes threads. The C library's own
#              calloc for each thread's storage is allowed for. Reports that are wrong in one place have to be found so.
# timeout: 60
set -eu
unset LD_PRELOAD
exec python3 - "$BUILD_DIR/bench/micro" "$TEST_SO" <<'PY'
import copy, json, os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

micro, library = sys.argv[1:]
FUNCTIONS = ("malloc", "calloc", "realloc", "free")
SUITES = ("seed", "larson", "threads", "growth")


def start(arguments, preload=None):
    environment = {k: v for k, v in os.environ.items() if k != "TEST_SO"}
    if preload:
        environment["LD_PRELOAD"] = preload
    return subprocess.run([micro, *arguments], env=environment, capture_output=True, text=True, timeout=50, check=False)


def faults(entry, report, on_hakmem, latency):
    """What is wrong with the report of a run."""
    calls, counted = report["calls"], report.get("hakmem_calls")
    for function in ("malloc", "free"):
        served = os.path.realpath(report[function])
        if served != os.path.realpath(library) if on_hakmem else not os.path.basename(served).startswith("libc.so"):
            yield f"{function} served by {served}"
    if (counted is not None) != on_hakmem:
        yield "hakmem's books are there" if counted else f"no books: {report.get('hakmem_absent')}"
    own = {f: 0 for f in FUNCTIONS}  # of the C library
    own["calloc"] = report["threads"] + 1
    for function in FUNCTIONS if counted else ():
        if not calls[function] <= counted[function] <= calls[function] + own[function]:
            yield f"{function}: {counted[function]} in the books, {calls[function]} made"
    timed = report.get("latency_ns", {})
    for function in FUNCTIONS if latency else ():
        found = timed.get(function, {}).get("calls", 0)
        if found != calls[function]:
            yield f"{function}: {found} timed, {calls[function]} made"
        row = [timed[function][p] for p in ("p50", "p99", "p99.9", "p99.99", "max")] if found else []
        if row != sorted(row):
            yield f"{function}: percentiles fall: {row}"
    if entry["unit"] == "pair" and not calls["malloc"] + calls["calloc"] == calls["free"] == report["pairs"]:
        yield f"not one block for each of {report['pairs']} pairs: {calls}"
    if report["pairs"] < 1 or report["ns_per_pair"] <= 0 or report["peak_kib"] < 1 or report["rss_kib_after"] < 1:
        yield f"nothing measured: {report}"


def check(job):
    entry, on_hakmem, latency = job
    arguments = [entry["name"], str(min(entry["sizes"], default=0)), "1"]
    arguments += ["2"] if entry["threads"] else []
    arguments += ["--latency"] if latency else []
    done = start(arguments, library if on_hakmem else None)
    title = f"{' '.join(arguments)} on {'hakmem' if on_hakmem else 'libc'}"
    if done.returncode != 0 or done.stderr:
        return None, [f"{title}: status {done.returncode}: {done.stderr}"]
    report = json.loads(done.stdout)
    return report, [f"{title}: {fault}" for fault in faults(entry, report, on_hakmem, latency)]


problems = []
listed = json.loads(start(["--list"]).stdout)
if len({e["name"] for e in listed}) != len(listed) or len(listed) < 24:
    problems.append(f"names: {[e['name'] for e in listed]}")
problems += [f"{e['name']}: incomplete: {e}" for e in listed
             if e["suite"] not in SUITES or not e["summary"] or e["pairs"] < 1 or not e["unit"]]
jobs = [(e, on_hakmem, latency) for e in listed for on_hakmem in (False, True) for latency in (False, True)
        if not (latency and e["name"] == "afterpeak")]  # sleeps
jobs.sort(key=lambda job: job[0]["name"] != "afterpeak")
with ThreadPoolExecutor(4) as pool:
    results = list(pool.map(check, jobs))
problems += [fault for _, found in results for fault in found]

# Able to fail: one thing wrong in a good report.
entry = next(e for e in listed if e["name"] == "stringbuild")
good = next(report for (e, *on), (report, _) in zip(jobs, results) if e is entry and on == [True, True])
for place, key in [("hakmem_calls", f) for f in FUNCTIONS] + [("calls", f) for f in FUNCTIONS]:
    bad = copy.deepcopy(good)
    bad[place][key] += 10
    if not list(faults(entry, bad, True, True)):
        problems.append(f"not found: {place} {key} is wrong")
if not list(faults(entry, good, False, True)):
    problems.append("not found: a run on hakmem taken for one on libc")
if not list(faults(entry, check((entry, False, False))[0], True, False)):
    problems.append("not found: a run on libc taken for one on hakmem")

# Bad usage is named.
for arguments, named in (
    ([], "arguments"), (["lifo", "16"], "arguments"), (["nosuch", "16", "1"], "'nosuch'"), (["lifo", "7", "1"], "'7'"),
    (["lifo", "16", "-1"], "'-1'"), (["lifo", "16", "1x"], "'1x'"), (["lifo", "16", "1", "2"], "'2'"),
    (["ring", "8", "1"], "'8'"), (["ring", "0", "1", "9999"], "'9999'"), (["lifo", "99999999999", "1"], "'9999999"),
):
    done = start(arguments)
    if done.returncode != 2 or named not in done.stderr.splitlines()[0] or done.stdout:
        problems.append(f"micro {' '.join(arguments)}: status {done.returncode}: {done.stderr}")

print("\n".join(problems) or f"{len(jobs)} runs of {len(listed)} workloads")
sys.exit(bool(problems))
PY
