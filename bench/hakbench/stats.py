"""Medians, intervals, verdicts.

Purpose.     What a handful of samples allows to be said.
Design.      The interval of a median is the bootstrap's percentile interval in its exact form, that of infinitely many
             resamples: the m-th smallest of n values drawn with replacement is at most the k-th smallest of the
             sample with probability P(Binomial(n, k/n) >= m). So the same samples always give the same interval.
             A table compares many pairs, and one in twenty 95 % intervals misses the truth by chance. So a difference
             is reported only if 1 lies outside the interval and the sign test, which asks nothing of how the ratios
             are distributed, agrees after the correction of Benjamini and Hochberg: of the differences reported
             together, one in twenty may be none; where there are none at all, nineteen tables in twenty report none.
"""
import math
import statistics

LEVEL = 0.05
FASTER, SLOWER, SAME = "faster", "slower", "no difference"


def at_least(n, p, m):
    """P(Binomial(n, p) >= m)."""
    return math.fsum(math.comb(n, i) * p ** i * (1 - p) ** (n - i) for i in range(m, n + 1))


def interval(values, level=LEVEL):
    """(low, high) of the median. With an even number of values the wider choice is made on each side."""
    ordered, n = sorted(values), len(values)
    low_rank, high_rank = (n + 1) // 2, n // 2 + 1
    low = next(k for k in range(1, n + 1) if at_least(n, k / n, low_rank) > level / 2)
    high = next(k for k in range(n, 0, -1) if 1 - at_least(n, (k - 1) / n, high_rank) > level / 2)
    return ordered[low - 1], ordered[high - 1]


def describe(values):
    low, high = interval(values)
    return {"median": statistics.median(values), "low": low, "high": high}


def sign_test(ratios):
    """The probability of as many ratios on one side of 1 if either side is as likely."""
    below, above = sum(r < 1 for r in ratios), sum(r > 1 for r in ratios)
    return min(1.0, 2 * at_least(below + above, 0.5, max(below, above)))


def compare(ratios):
    """The ratio of two allocators from their ratios round by round; what may be said of it, settle() says."""
    return dict(describe(ratios), p=sign_test(ratios), verdict=SAME)


def settle(comparisons):
    """The verdicts of all comparisons of a table."""
    accepted = 0.0
    for rank, p in enumerate(sorted(c["p"] for c in comparisons), 1):
        if p <= LEVEL * rank / len(comparisons):
            accepted = p
    for c in comparisons:
        if c["p"] <= accepted and (c["high"] < 1 or c["low"] > 1):
            c["verdict"] = FASTER if c["high"] < 1 else SLOWER


def paired(mine, other):
    """Ratios of two {round: value}, over the rounds that both have."""
    return [mine[r] / other[r] for r in sorted(mine.keys() & other.keys()) if other[r]]
