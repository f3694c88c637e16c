"""Why goals are not reached: bench/results/reasons.txt, written by hand.

Design.      The file's head says its form. A reason belongs to what is not reached and to nothing else, so that it is
             deleted when its goal is reached.
"""
import fnmatch

from . import UsageError, goals

FILE = "bench/results/reasons.txt"


def read(path):
    """{goal, row or pattern: reason} in the file's order; nothing if there is no file."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    found, key = {}, None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            key = None
        elif line[0].isspace() and key:
            found[key] += " " + line.strip()
        else:
            key, _, reason = map(str.strip, line.partition(": "))
            if line[0].isspace() or not key or not reason or key in found:
                raise UsageError(f"{path}:{number}: not 'GOAL: REASON' with a GOAL of its own, nor an indented line "
                                 f"that goes on with a reason: {line.strip()}")
            found[key] = reason
    return found


def fits(key, verdict):
    return any(fnmatch.fnmatchcase(name, key) for name in (verdict.id, verdict.where))


def of(verdict, reasons):
    """The first that fits, or None."""
    return next((reason for key, reason in reasons.items() if fits(key, verdict)), None)


def faults(verdicts, reasons):
    """A line for each goal without a reason, and for each reason without a goal."""
    missed = [verdict for verdict in verdicts if verdict.state == goals.MISSED]
    return ([f"no reason in {FILE}: {verdict.sentence()}" for verdict in missed if not of(verdict, reasons)]
            + [f"fits no goal that is not reached: '{key}' in {FILE}" for key in reasons
               if not any(fits(key, verdict) for verdict in missed)])
