#!/bin/bash
# test/bench/engine_output.sh
# Purpose.     What `hakmem bench` prints says the same in each form, and again from the record; every sample is there;
#              an interrupt keeps what was measured.
# timeout: 300
. "$SOURCE_DIR/test/cli/support.bash"

expect 0 "$TEST_CLI" bench --repeats 11 --allocators "libc,hakmem=$TEST_SO" --seed 5 --record "$work/record" \
    lifo/16 mixed/1024
cp "$work/out" "$work/text"
for part in 'seed 5$' '^libc +libc6 ' '^lifo 16 B +libc ' '^mixed 1,024 slots +libc ' 'malloc p99.99' \
    '^Resident|^Memory and kernel' 'perf_event_open|counted by the processor' '^Losses: hakmem is slower than'; do
    out_has "$part"
done

expect 0 "$TEST_CLI" bench --from "$work/record"
cmp -s "$work/text" "$work/out" || fail "the record shows another table than its measurement"

expect 0 "$TEST_CLI" bench --from "$work/record" --csv
[ "$(wc -l <"$work/out")" = $((1 + 2 * 2 * 11)) ] || fail "not every sample is in the CSV"

expect 0 "$TEST_CLI" bench --from "$work/record" --json
python3 - "$work/out" <<'PY' || fail "the JSON is not as it should be"
import json, statistics, sys
record = json.load(open(sys.argv[1]))
assert [row["id"] for row in record["rows"]] == ["lifo/16", "mixed/1024"]
for row, told in zip(record["rows"], record["summary"]["rows"]):
    assert sorted(row["cells"]) == ["hakmem", "libc"]
    for name, cell in row["cells"].items():
        assert cell["round"] == list(range(11)) and all(ns > 0 for ns in cell["ns"]), cell
        assert told["allocators"][name]["ns"]["median"] == statistics.median(cell["ns"])
        assert cell["proved"] == 11 and len(cell["latency"]) == 5
    pairs = zip(row["cells"]["hakmem"]["ns"], row["cells"]["libc"]["ns"])
    ratio = told["allocators"]["hakmem"]["ratio"]
    assert ratio["median"] == statistics.median(h / l for h, l in pairs)
    assert ratio["low"] <= ratio["median"] <= ratio["high"]
    peaks = zip(row["cells"]["hakmem"]["peak_kib"], row["cells"]["libc"]["peak_kib"])
    assert told["memory_duels"]["libc"]["median"] == statistics.median(h / l for h, l in peaks)
assert all(a["build_id"] for a in record["allocators"])
for fact in ("cpu", "governor", "thp", "kernel", "pinned"):
    assert record["machine"][fact], fact
PY

# The command's fifth run interrupts the bench that started it, whose number it finds in the environment.
cat >"$work/fifth" <<'SH'
#!/bin/sh
echo run >>"$RUNS"
[ "$(wc -l <"$RUNS")" != 5 ] || kill -INT "$BENCH_PID"
SH
chmod +x "$work/fifth"
expect 1 env RUNS="$work/runs" sh -c 'BENCH_PID=$$ exec "$@"' sh \
    "$TEST_CLI" bench --repeats 10 --allocators libc --json -- "$work/fifth"
python3 - "$work/out" <<'PY' || fail "the interrupt did not keep what was measured"
import json, sys
record = json.load(open(sys.argv[1]))
assert record["interrupted"] and 4 <= len(record["rows"][0]["cells"]["libc"]["ns"]) <= 5
PY
