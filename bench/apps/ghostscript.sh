#!/bin/bash
# summary: ghostscript: 5 pages of text, curves and fills to pixels at 150 dpi
# needs: gs cksum
# Models.      An interpreter with its own garbage collector on top of malloc, and bitmaps of megabytes.
# Cannot show. Documents with images or many fonts.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    cat >pages.ps <<'PS'
%!PS
/Helvetica findfont 14 scalefont setfont
1 1 5 { /page exch def
  0 5 700 { /y exch def
    72 y moveto (page ) show page 10 string cvs show ( at ) show y 10 string cvs show
    y 700 div 0.3 page 5 div setrgbcolor
    newpath 300 y 40 0 360 arc fill
    0 setgray
    newpath 1 1 40 { /step exch def
      step 13 mul 40 add y moveto 10 step page mul -20 step 30 0 rcurveto } for stroke } for
  gsave 200 400 translate 0 2 359 { rotate 0 0 moveto 120 30 lineto 60 90 80 20 150 10 curveto stroke } for grestore
  showpage } for
PS
}

run() { gs -q -dSAFER -dNOPAUSE -dBATCH -sDEVICE=ppmraw -r150 -sOutputFile=- pages.ps </dev/null | cksum; }

app "$@"
