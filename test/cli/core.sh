#!/bin/bash
# stat and explain of a core file: number for number what they said of the process when it was stopped, but for what is
# resident; with the library preloaded and linked in statically, in cores by gdb and, where it writes files, the kernel.
. "$(dirname "$0")/support.bash"
cd "$work"
archive=$(dirname "$TEST_SO")/libhakmem.a
[ -e "$archive" ] || fail "no libhakmem.a beside the shared library"

# The live process, in files live.*.
look_at_process() {
    expect 0 "$TEST_CLI" stat --json "$process"
    cp "$work/out" live.json
    expect 0 "$TEST_CLI" stat --openmetrics "$process"
    cp "$work/out" live.openmetrics
    expect 0 "$TEST_CLI" stat "$process"
    cp "$work/out" live.text
    expect 0 "$TEST_CLI" explain --json "$process"
    cp "$work/out" live.explain
}

# same WITHOUT: what was printed last is live.$1, but for the lines that tell what is resident.
same() {
    grep -q resident "live.$1" || fail "live.$1 does not tell what is resident"
    grep -v resident "live.$1" | diff - "$work/out" >"$work/err" || fail "live.$1 is not what the core tells"
}

look_at_core() {
    expect 0 "$TEST_CLI" stat --json "$1"
    same json
    cp "$work/out" core.json
    # ... of the blocks that the program holds
    holds "r['pid'] == $process"
    holds '[c["live_blocks"] for c in r["classes"] if c["block_bytes"] == 208] == [1000]'
    holds '[t["live_blocks"] for t in r["tiers"] if t["tier"] in ("large", "huge")] == [1, 2]'
    holds 'r["threads"] == 2 and r["retained_bytes"] > 0'
    expect 0 "$TEST_CLI" stat --openmetrics "$1"
    same openmetrics
    expect 0 "$TEST_CLI" stat "$1"
    same text

    expect 0 "$TEST_CLI" explain --json "$1"
    python3 - "$work/out" live.explain core.json <<'PY' || fail "explain of a core does not hold"
import json, sys
core, live, stat = (json.load(open(path)) for path in sys.argv[1:])
part = {p["part"]: p["bytes"] for p in core["parts"]}
blocks = lambda report: [(c["block_bytes"], c["blocks"]) for c in report["live_blocks"]]
assert core["kernel_rss_bytes"] is core["swapped_bytes"] is core["purge_due_ms"] is None
assert set(part) == {"live", "free_slots", "thread_caches", "spare_runs", "transfer_caches", "outboxes",
                      "retained", "tails", "metadata"}, part
assert all(part.values()), part
active = sum(part[key] for key in set(part) - {"retained", "metadata"})
assert active == stat["active_bytes"], (active, stat["active_bytes"])
assert part["live"] == stat["live_bytes"] == sum(c["bytes"] for c in core["live_blocks"])
assert part["retained"] == stat["retained_bytes"] and part["metadata"] == stat["metadata_bytes"]
assert core["sum_bytes"] == core["hakmem_bytes"] == sum(part.values())
assert blocks(core) == blocks(live) and len(blocks(core)) > 20
for key in ("pid", "rounding_bytes", "threads"):
    assert core[key] == live[key], key
PY
    expect 0 "$TEST_CLI" explain "$1"
    out_has "^$process  .*keeper"
    out_has '^ +[0-9]+ +[0-9.]+  live blocks$'
    out_has '^ +[0-9]+ +100\.0  in all, as hakmem.s records tell$'
    out_has "^What of it was resident is the kernel's to say, and not in a core file\.$"
    out_lacks "RSS|not hakmem's|due"
}

# The kernel's own core, which leaves out more than gdb's; only where it goes to a file of the current folder.
look_at_kernels_core() {
    local pattern
    pattern=$(cat /proc/sys/kernel/core_pattern)
    if [[ $pattern = *[\|/]* || $(ulimit -H -c) != unlimited ]]; then
        echo "not looked at: a core by the kernel (core_pattern is $pattern, ulimit -H -c $(ulimit -H -c))"
        return
    fi
    kill -ABRT "$process"
    kill -CONT "$process"
    wait "$process" 2>/dev/null || true
    started=()
    rm core.json
    mv core* kernel.core || fail "the kernel writes no core"
    look_at_core "$work/kernel.core"
    rm kernel.core
}

for way in preloaded static; do
    preload=
    if [ $way = preloaded ]; then
        compile_keeper
        preload=$TEST_SO
    else
        compile_keeper -static "$archive"
    fi
    # shellcheck disable=SC2016
    start "$work/ready" bash -c 'ulimit -S -c "$(ulimit -H -c)"; LD_PRELOAD=$1 exec "${@:2}"' - "$preload" \
        "$work/keeper" "$work/ready"
    kill -STOP "$process"
    until grep -q '^State:.T' "/proc/$process/status"; do sleep 0.01; done
    look_at_process
    dump "$work/gdb.core"
    look_at_core "$work/gdb.core"
    rm gdb.core
    look_at_kernels_core
    [ ${#started[@]} = 0 ] || stop
done
