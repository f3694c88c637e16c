#!/bin/bash
# verify --json: valid whatever the command is called and prints, and it holds what it promises.
. "$(dirname "$0")/support.bash"

valid() { python3 -m json.tool <"$work/out" >"$work/tool" 2>>"$work/err" || fail "no valid JSON"; }

expect 0 verify --json -- echo text of the command
valid
err_has '^text of the command$'
expect 0 verify --json -- sh -c 'true; exit 0' $'quote " backslash \\ tab \t newline \n bell \a' \
    $'\xff\xfe\xc0\xaf\xed\xa0\x80' 'ü€😀'
valid
grep -q 'ü€😀\|\\u00fc\\u20ac\\ud83d\\ude00' "$work/tool" || fail "UTF-8 is not kept"

cp "$(type -P true)" "$work/$(printf 'odd "name\\ \xff')"
expect 0 verify --json -- "$work/$(printf 'odd "name\\ \xff')"
valid

expect 1 "$TEST_CLI" verify --json --no-preload -- true
valid
expect 0 verify --json --output "$work/file" -- echo text of the command
out_has '^text of the command$'
mv "$work/file" "$work/out"
valid

python3 - "$work/out" <<'P' || fail "the report's form"
import json, sys
report = json.load(open(sys.argv[1]))
assert report["proved"] is True and report["exit_status"] == 0 and report["library"].startswith("/")
assert report["command"] == ["echo", "text", "of", "the", "command"]
(process,) = report["processes"]
assert process["inspected"] and process["proved"] and process["served_by"] == "hakmem"
assert process["culprits"] == [] and process["libc_heap_bytes"] == 0
assert process["counts"] == report["total"]
counts = process["counts"]
assert counts["foreign_frees"] == 0 and counts["errors"] == 0 and counts["calls"]["malloc"] > 0
(library,) = [o for o in process["objects"] if o["hakmem"]]
assert library["path"] == report["library"] and {"malloc", "free", "_Znwm"} <= set(library["defines"])
(libc,) = [o for o in process["objects"] if "/libc.so" in o["path"]]
bound = {b["symbol"]: b for b in libc["bindings"] if b["state"] == "bound"}
assert bound["malloc"]["to"] == report["library"] and bound["malloc"]["hakmem"] is True
P
