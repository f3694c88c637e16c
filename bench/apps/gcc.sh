#!/bin/bash
# summary: gcc -O2 of 100 C functions in one unit
# needs: gcc awk cksum
# Models.      A compiler: data structures built function by function; its largest ones come from its own pools, which
#              ask malloc for chunks.
# Cannot show. C++, whose templates make the same compiler allocate differently: g++ has them.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    awk 'BEGIN {
        print "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
        print "struct point { double x, y; int weight; struct point *next; };"
        for (i = 0; i < 100; i++) {
            printf "int f%d(struct point *p, int n) {\n    int s = %d;\n", i, i
            printf "    for (int i = 0; i < n; i++) {\n        p[i].x = sqrt(p[i].x * %d + i);\n", i % 17 + 1
            printf "        switch ((s + i) & 7) {\n"
            for (c = 0; c < 6; c++)
                printf "        case %d: s += p[i].weight * %d; p[i].y += p[i].x / %d; break;\n", c, i * c % 29, c + 2
            printf "        default: s ^= (int)p[i].y;\n        }\n    }\n"
            printf "    for (struct point *q = p; q != NULL; q = q->next)\n"
            printf "        s += q->weight > %d ? %s : 1;\n", i % 50, i > 0 ? "f" (i - 1) "(q, n / 2)" : "0"
            printf "    return s;\n}\n"
        }
    }' >unit.c
}

run() {
    gcc -O2 -c unit.c -o unit.o
    exec cksum unit.o
}

app "$@"
