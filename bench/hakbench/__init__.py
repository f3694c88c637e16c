"""hakbench: `hakmem bench`.

Purpose.     Measures allocators against each other and proves, for every run, which of them served it.
Design.      One way through:

               options.py    what the user wants
               rows.py       which workloads that means              allocators.py  which libraries, and what they are
               measure.py    in which order the runs come            runner.py      one run, its numbers and its proof
               counters.py   instructions, cycles, misses            machine.py     where all of it was measured
               contention.py how often threads meet, counted in place of times, with bounds
               record.py     everything measured, as one file        stats.py       medians, intervals, verdicts
               summary.py    what the record says, row by row
               table.py, page.py + charts.py, publish.py             how it is shown
               suites.py     the suites that judge the bench or hakmem: aa, slowed, ablate
               goals.py      what hakmem has to reach          reasons.py     why it does not

             What is shown is made from a record alone, so that a record read back later shows the same.
Not here.    The proof (`hakmem verify`), the workloads (bench/workload, bench/apps).
"""


class UsageError(Exception):
    """Nothing can be measured; the text names what is wrong and what to do. Exit status 2."""


class Refused(Exception):
    """This allocator did not, or cannot, serve this row. The others go on. Exit status 1."""
