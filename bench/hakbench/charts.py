"""Charts as SVG text.

Design.      No script and no resource from elsewhere. Colours are classes, s0..s7, that the page sets for light and for
             dark; where there are more names than colours, the class "again" beside them makes dashes of them. Every
             mark carries a <title> with its numbers.
"""
import html
import math

SHAPES = 8
LANE = 10
LEGEND_WIDTH, LEGEND_LINE = 675, 18
TITLE_LETTER = 7  # pixels, at most on average


def text(x, y, words, anchor="start", css=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{html.escape(str(words))}</text>'


def line(x1, y1, x2, y2, css):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>'


def svg(width, height, parts, label):
    return (f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" '
            f'aria-label="{html.escape(label)}">{"".join(parts)}</svg>')


def log_scale(low, high, left, right):
    span = math.log(high / low) or 1
    return lambda value: left + (right - left) * math.log(max(low, min(high, value)) / low) / span


def nice(low, high, steps=(1, 2, 5)):
    """Round numbers between the two, for a logarithmic axis."""
    found = [s * 10.0 ** e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for s in steps]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def short(value):
    return f"{value:g}"


def legend_marks(names, colour):
    """(marks, width, height), in as many lines as they need."""
    parts, x, widest, y = [], 0, 0, 0
    for name in names:
        width = 32 + 7.5 * len(name)
        if x and x + width > LEGEND_WIDTH:
            x, y = 0, y + LEGEND_LINE
        parts.append(f'<circle cx="{x + 6}" cy="{y + 8}" r="4.5" class="{colour[name]} dot"/>'
                     + text(x + 15, y + 12, name))
        x += width
        widest = max(widest, x)
    return "".join(parts), widest, y + LEGEND_LINE


def legend(names, colour):
    marks, width, height = legend_marks(names, colour)
    return svg(max(width, 10), height, [marks], "legend")


def ratio_plot(rows, baseline, names, colour, with_legend=False):
    """A dot with its interval per row and allocator; hollow where there is no difference."""
    marks = [c["ratio"] for r in rows for n, c in r["allocators"].items() if n in names and c["ratio"]]
    if not marks:
        return ""
    low = min(0.5, *(m["low"] for m in marks)) / 1.1
    high = max(2.0, *(m["high"] for m in marks)) * 1.1
    legend_shown, _, legend_height = legend_marks(names, colour)
    left = max(225, 15 + max(TITLE_LETTER * len(row["title"]) for row in rows))
    right, top = left + LEGEND_WIDTH, 34 + legend_height if with_legend else 30
    x_of = log_scale(low, high, left, right)
    parts, y = [], top
    for row in rows:
        height = LANE * len(names) + 8
        parts.append(text(left - 10, y + height / 2 + 2, row["title"], "end", "row"))
        parts.append(line(left, y + height - 1, right, y + height - 1, "rule"))
        for lane, name in enumerate(names):
            cell = row["allocators"].get(name, {})
            ratio = cell.get("ratio")
            at = y + LANE * (lane + 0.5) + 3
            if not ratio:
                why = ("refused" if name in row["refused"] else f"no {baseline} to compare with" if cell
                       else "not measured")
                parts.append(text(x_of(1) + 5, at + 3, f"{name}: {why}", css="small"))
                continue
            hollow = " hollow" if ratio["verdict"] == "no difference" else ""
            parts.append(f'<g class="{colour[name]}"><title>{html.escape(row["title"])}, {name}: {ratio["median"]:.3f} '
                         f'of {baseline}, 95 % [{ratio["low"]:.3f}, {ratio["high"]:.3f}], {ratio["verdict"]}</title>'
                         + line(x_of(ratio["low"]), at, x_of(ratio["high"]), at, "whisker")
                         + f'<circle cx="{x_of(ratio["median"]):.1f}" cy="{at:.1f}" r="3.6" class="dot{hollow}"/></g>')
        y += height
    grid = [line(x_of(v), top - 6, x_of(v), y, "rule") + text(x_of(v), top - 12, short(v), "middle", "small")
            for v in nice(low, high)] + [line(x_of(1), top - 6, x_of(1), y, "one")]
    ends = [text(left, y + 16, "faster", "start", "small"), text(right, y + 16, "slower", "end", "small")]
    shown = [f'<g transform="translate({left} 2)">{legend_shown}</g>'] if with_legend else []
    return svg(right + 20, y + 24, shown + grid + parts + ends, f"Time as a ratio to {baseline}")


def frame(title, x_ticks, y_ticks, x_of, y_of, box):
    left, top, right, bottom = box
    parts = [text(left, 14, title, css="row")]
    parts += [line(left, y_of(v), right, y_of(v), "rule") + text(left - 5, y_of(v) + 3, words, "end", "small")
              for v, words in y_ticks]
    parts += [line(x_of(v), bottom, x_of(v), bottom + 4, "axis") + text(x_of(v), bottom + 15, words, "middle", "small")
              for v, words in x_ticks]
    return parts + [line(left, bottom, right, bottom, "axis")]


def curves(series, colour, x_of, y_of):
    """`series`: {name: [[x, y]...]}."""
    parts = []
    for name, points in series.items():
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" class="{colour[name]} curve"><title>{name}</title></polyline>')
    return parts


def steps(most, count=4):
    """Round numbers from 0 up to `most`."""
    raw = most / count or 1
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(f * unit for f in (1, 2, 5, 10) if f * unit >= raw)
    return [step * i for i in range(int(most / step) + 1)]


def rss_plot(row, names, colour):
    """Resident memory over the time of one run each."""
    series = {n: row["allocators"][n]["rss"] for n in names
              if n in row["allocators"] and row["allocators"][n]["rss"]}
    if not series:
        return ""
    most_ms = max(points[-1][0] for points in series.values())
    most_mib = max(kib for points in series.values() for _, kib in points) / 1024 * 1.05
    box = left, top, right, bottom = 48, 26, 400, 170
    x_of = lambda ms: left + (right - left) * ms / most_ms  # noqa: E731
    y_of = lambda mib: bottom - (bottom - top) * mib / most_mib  # noqa: E731
    parts = frame(f"{row['title']}: MiB over ms", [(v, short(v)) for v in steps(most_ms)],
                  [(v, short(v)) for v in steps(most_mib)], x_of, y_of, box)
    parts += curves({n: [[ms, kib / 1024] for ms, kib in p] for n, p in series.items()}, colour, x_of, y_of)
    return svg(415, 192, parts, f"Resident memory of {row['title']}")


def latency_plot(row, names, colour):
    """Nanoseconds of a call by percentile, the tail stretched."""
    series = {n: row["allocators"][n]["latency"]["curve"] for n in names
              if n in row["allocators"] and row["allocators"][n]["latency"]}
    series = {n: [[p, max(1.0, ns)] for p, ns in curve] for n, curve in series.items() if curve}
    if not series:
        return ""
    low = min(ns for curve in series.values() for _, ns in curve)
    high = max(ns for curve in series.values() for _, ns in curve) * 1.1
    box = left, top, right, bottom = 58, 26, 400, 170
    deepest = 5.5
    depth = lambda p: min(deepest, -math.log10(max(1e-9, 1 - p / 100)))  # noqa: E731
    x_of = lambda p: left + (right - left) * depth(p) / deepest  # noqa: E731
    y_log = log_scale(low / 1.1, high, bottom, top)
    ticks = [(0, "0"), (90, "90"), (99, "99"), (99.9, "99.9"), (99.99, "99.99"), (100, "100 %")]
    parts = frame(f"{row['title']}: ns of a call by percentile", ticks,
                  [(v, f"{v:,.0f}") for v in nice(low, high, (1,))], x_of, y_log, box)
    return svg(420, 192, parts + curves(series, colour, x_of, y_log), f"Latency of {row['title']}")
