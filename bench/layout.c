/* bench/layout.c
 * Purpose.     Moves the code of the program by BENCH_LAYOUT cache lines, 0 to 7.
 * Design.      Where the branches of a short loop lie, and those of the allocator under it, makes it up to twice as
 *              fast or slow (doc/decisions/016), and the same in every run. So each round is run by another of the
 *              eight: what is luck of one place is noise of all, and an interval shows it.
 *              The linker puts this section in front of all other code.
 */
#define TEXT(value) #value
#define TEXT_OF(value) TEXT(value)

__asm__(".pushsection .text.unlikely, \"ax\", %progbits\n"
        ".balign 64\n"
        ".skip 64 * (1 + " TEXT_OF(BENCH_LAYOUT) ")\n"
                                                 ".popsection");
