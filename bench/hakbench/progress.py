"""A bar with the time that remains.

Design.      What remains is the runs still to come times what a run of the same row took on average; of a row that has
             not run yet, what all took. Nothing is drawn where nobody looks (not a terminal).
"""
import shutil
import sys
import time


class Progress:
    def __init__(self, stream=sys.stderr):
        self.stream, self.drawn = (stream if stream.isatty() else None), 0.0
        self.ahead, self.taken = {}, {}

    def expect(self, key, runs):
        self.ahead[key] = self.ahead.get(key, 0) + runs

    def done(self, key, seconds, what):
        self.ahead[key] -= 1
        spent, runs = self.taken.get(key, (0.0, 0))
        self.taken[key] = spent + seconds, runs + 1
        now = time.monotonic()
        if self.stream and (now - self.drawn > 0.1 or not sum(self.ahead.values())):
            self.drawn = now
            self.draw(what)

    def skip(self, key, runs):
        self.ahead[key] = max(0, self.ahead[key] - runs)

    def remaining_seconds(self):
        spent, runs = map(sum, zip(*self.taken.values()))
        mean = {key: s / n for key, (s, n) in self.taken.items()}
        return sum(count * mean.get(key, spent / runs) for key, count in self.ahead.items())

    def draw(self, what):
        past = sum(runs for _, runs in self.taken.values())
        share = past / max(1, past + sum(self.ahead.values()))
        left = round(self.remaining_seconds())
        bar = ("#" * round(share * 30)).ljust(30)
        text = f"[{bar}] {share:4.0%}  {left // 60}:{left % 60:02} left  {what}"
        self.stream.write("\r\x1b[K" + text[:shutil.get_terminal_size().columns - 1])
        self.stream.flush()

    def close(self):
        if self.stream and self.drawn:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
