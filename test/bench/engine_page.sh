#!/bin/bash
# test/bench/engine_page.sh
# Purpose.     The page of `hakmem bench --html` is one file, needs nothing else, says what the record says, and a
#              browser draws it: headless Chromium opens it, with the same charts as marks in the document, and the
#              picture is not blank.
# Design.      The control is a page without its charts: the same look has to miss them.
# timeout: 300
. "$SOURCE_DIR/test/cli/support.bash"
command -v chromium >/dev/null || { echo "chromium is not installed"; exit 77; }

expect 0 "$TEST_CLI" bench --repeats 10 --allocators "libc,hakmem=$TEST_SO" --record "$work/record" \
    --html "$work/page.html" lifo/16 shift
! grep -qE '<script|<link|src=|url\(|@import|https?://' "$work/page.html" || fail "the page asks for something else"

browser() { # ARGUMENT...
    HOME=$work timeout 100 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
        --hide-scrollbars --window-size=1000,1400 --user-data-dir="$work/profile" "$@" 2>"$work/err"
}

# look PAGE: what a browser made of it, as "DOTS CURVES HEADINGS COLOURS".
look() {
    browser --dump-dom "file://$1" >"$work/dom"
    browser --screenshot="$work/shot.png" "file://$1" >"$work/out"
    python3 - "$work/dom" "$work/shot.png" <<'PY'
import re, struct, sys, zlib
dom = open(sys.argv[1]).read()
data, at, packed = open(sys.argv[2], "rb").read(), 8, b""
width, height, _, kind = struct.unpack(">IIBB", data[16:26])
while at < len(data):
    size, name = struct.unpack(">I4s", data[at:at + 8])
    packed += data[at + 8:at + 8 + size] if name == b"IDAT" else b""
    at += size + 12
raw, pixel = zlib.decompress(packed), {2: 3, 6: 4}[kind]
row = width * pixel + 1
colours = len({raw[y * row + 1:(y + 1) * row] for y in range(height)})
print(len(re.findall(r'<g class="s\d"><title>', dom)), dom.count("<polyline"), dom.count("<h2"), colours)
PY
}

read -r dots lines headings rows <<<"$(look "$work/page.html")"
[ "$dots" = 2 ] || fail "$dots dots instead of one per row for hakmem"
[ "$lines" -ge 4 ] || fail "$lines curves: at least the latency of two allocators in two rows"
[ "$headings" -ge 10 ] || fail "only $headings headings"
[ "$rows" -gt 100 ] || fail "the picture is blank"
for words in 'hakmem against each of the others' 'Losses: hakmem is slower than' 'Memory losses' 'Method' 'Machine' \
    'Who was measured' 'baseline'; do
    grep -qF "$words" "$work/dom" || fail "the page does not say: $words"
done

# The record gives the same page again.
expect 0 "$TEST_CLI" bench --from "$work/record" --html "$work/again.html"
cmp -s "$work/page.html" "$work/again.html" || fail "the record gives another page"

sed 's/<svg.*<\/svg>//g' "$work/page.html" >"$work/bare.html"
read -r dots lines headings rows <<<"$(look "$work/bare.html")"
[ "$dots $lines" = '0 0' ] || fail "charts seen where there are none: $dots dots, $lines curves"
