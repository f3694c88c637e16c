#!/bin/bash
# ghostscript: PostScript to pixels and to PDF, the same bytes as on libc.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require gs

cat >"$work/page.ps" <<'PS'
%!PS
/Helvetica findfont 14 scalefont setfont
1 1 6 { /page exch def
  0 10 500 { /y exch def
    72 y moveto (page ) show page 10 string cvs show ( at ) show y 10 string cvs show
    y 500 div 0.3 page 6 div setrgbcolor
    newpath 300 y 40 0 360 arc fill
    0 setgray } for
  gsave 200 400 translate 0 5 355 { rotate 0 0 moveto 120 30 lineto 60 90 80 20 150 10 curveto stroke } for grestore
  showpage } for
PS
both pixels gs -q -dNOPAUSE -dBATCH -sDEVICE=ppmraw -r100 -sOutputFile=page%d.ppm "$work/page.ps"
same_files pixels page1.ppm page6.ppm
both pdf gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile=page.pdf "$work/page.ps"
# Times and identifiers apart.
for side in libc hakmem; do
    sed -E '/CreationDate|ModDate|CreateDate|ModifyDate|uuid:|\/ID \[/d' \
        "$work/pdf.$side.dir/page.pdf" >"$work/pdf.$side"
done
cmp "$work/pdf.libc" "$work/pdf.hakmem" || fail "pdf: differs from libc"
