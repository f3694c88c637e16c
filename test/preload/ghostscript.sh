#!/bin/bash
# ghostscript: PostScript to pixels and to PDF, the same bytes as on libc.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require gs

"$SOURCE_DIR/bench/apps/ghostscript.sh" prepare "$work/input"
both pixels gs -q -dNOPAUSE -dBATCH -sDEVICE=ppmraw -r100 -sOutputFile=page%d.ppm "$work/input/pages.ps"
same_files pixels page1.ppm page5.ppm
both pdf gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile=page.pdf "$work/input/pages.ps"
# Times and identifiers apart.
for side in libc hakmem; do
    sed -E '/CreationDate|ModDate|CreateDate|ModifyDate|uuid:|\/ID \[/d' \
        "$work/pdf.$side.dir/page.pdf" >"$work/pdf.$side"
done
cmp "$work/pdf.libc" "$work/pdf.hakmem" || fail "pdf: differs from libc"
