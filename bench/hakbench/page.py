"""The page: one HTML file that needs nothing else.

Design.      First how it went, losses before wins in the same form, then the charts, then every number, then how and on
             what it was measured, and the proof of who served.
"""
import html

from . import UsageError, charts, table
from .summary import SUBJECT, measured

STYLE = """
:root{color-scheme:light dark;--ink:#1c1f24;--soft:#5c636e;--rule:#e3e6ea;--ground:#fff;--good:#0b6e4f;--bad:#b3261e}
.s0{--c:#4b5563}.s1{--c:#c2570c}.s2{--c:#7c3aed}.s3{--c:#0284c7}.s4{--c:#b45398}.s5{--c:#0f8a5f}.s6{--c:#a16207}
.s7{--c:#be123c}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3abb6;--rule:#343a42;--ground:#15181c;--good:#6bd3a8;
--bad:#ff8a80}.s0{--c:#aab2bd}.s1{--c:#fb923c}.s2{--c:#b79cff}.s3{--c:#55bdf5}.s4{--c:#f0a3d6}.s5{--c:#4ade9f}
.s6{--c:#e5c04b}.s7{--c:#fb7185}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:1000px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.7rem;margin:0}h2{font-size:1.2rem;margin:2.2rem 0 .4rem}p{max-width:72ch}
.soft,figcaption{color:var(--soft)}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:2px 10px 2px 0;text-align:right;white-space:nowrap;vertical-align:top}
th{color:var(--soft);font-weight:600;border-bottom:1px solid var(--rule)}th.l,td.l{text-align:left}
td.wrap{white-space:normal;word-break:break-word}
tr.first td{border-top:1px solid var(--rule)}.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}
svg{max-width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}svg text.small{fill:var(--soft);
font-size:11px}svg text.row{font-size:12px}.rule{stroke:var(--rule)}.axis{stroke:var(--soft)}
.ground{fill:var(--ground)}.one{stroke:var(--ink);stroke-dasharray:3 3}
.dot{fill:var(--c);stroke:var(--c);stroke-width:1.5}
.dot.hollow{fill:var(--ground)}.whisker{stroke:var(--c);stroke-width:2;opacity:.55}
.curve{fill:none;stroke:var(--c);stroke-width:1.8}
.again .whisker,.again.curve{stroke-dasharray:4 3}
.again.dot,.again .dot{fill-opacity:.3;stroke-dasharray:2.4 1.4}.again .dot.hollow{fill-opacity:1}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(400px,1fr));gap:10px}figure{margin:0}
details summary{cursor:pointer;color:var(--soft);margin:.4rem 0}
"""

METHOD = """Every run is a process of its own, started by <code>hakmem verify --allocator</code>, which looks into each
process of it and refuses the run if the allocator named did not serve every call. The work of a row is fixed and the
same for all. In each round every row comes once, in random order, and the allocators of a row run right after each
other, in random order. The code of the workloads lies at another of eight places in each round, since that alone can
make a short loop half as fast. A ratio is the median of the ratios of each round. Intervals are the bootstrap's
percentile intervals of the median at 95 %, in their exact form. A difference is reported only if 1 lies outside the
interval and a sign test agrees, corrected for all {comparisons} comparisons of this page (Benjamini and Hochberg, 5 %);
otherwise it says no difference, and its dot is hollow. Latency
is measured in a pass of its own, because reading the clock around each call costs more than the call. Memory over time
is sampled in one run per allocator. No sample is left out: <code>--csv</code> and <code>--record</code> have them
all."""


def cell(words, css=""):
    tag = {"faster": "good", "SLOWER": "bad", "refused": "bad"}.get(words.strip(), "")
    classes = " ".join(filter(None, (css, tag)))
    return f'<td class="{classes}">{html.escape(words)}</td>' if classes else f"<td>{html.escape(words)}</td>"


def show_table(section):
    if not section.lines:
        return f"<p>{html.escape(section.note or 'nothing')}</p>"
    head = "".join(f'<th class="{"l" if i < section.left else ""}">{html.escape(w)}</th>'
                   for i, w in enumerate(section.head))
    body = "".join(f'<tr class="{"first" if line[0] else ""}">'
                   + "".join(cell(w, "l" + (" wrap" if len(w) > 60 else "") if i < section.left else "")
                             for i, w in enumerate(line)) + "</tr>" for line in section.lines)
    note = f'<p class="soft">{html.escape(section.note)}</p>' if section.note not in ("", table.NONE) else ""
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}'


def show_section(section, folded=False):
    if not section.lines and not section.note:
        return ""
    shown = show_table(section)
    if folded and section.lines:
        shown = f"<details open><summary>every number</summary>{shown}</details>"
    return f'<h2 id="{section.key}">{html.escape(section.title)}</h2>{shown}'


def show_grid(title, plots, legend):
    plots = [plot for plot in plots if plot]
    if not plots:
        return ""
    figures = "".join(f"<figure>{plot}</figure>" for plot in plots)
    return f'<h3>{title}</h3>{legend}<div class="grid">{figures}</div>'


def headline(record, summary):
    rows, names = measured(summary), [a["name"] for a in record["allocators"]]
    refused = len({(r["row"], r["allocator"]) for r in record["refused"]})
    words = (f"{len(rows)} row{'s' if len(rows) != 1 else ''}, {len(names)} allocators: {', '.join(names)}. "
             f"{refused or 'No'} measurement{'s' if refused != 1 else ''} refused.")
    if record["interrupted"]:
        words += " Interrupted: some rows have fewer runs, or none."
    return words


def show_verdicts(verdicts):
    lines = "".join(f'<tr><td class="{"good" if ok else "bad"} l">{"reached" if ok else "NOT REACHED"}</td>'
                    f'<td class="l wrap">{html.escape(words)}</td></tr>' for words, ok in verdicts)
    return f'<h2 id="verdicts">Goals</h2><table>{lines}</table>' if verdicts else ""


def show_machine(record):
    lines = "".join(f'<tr><td class="l soft">{html.escape(k.replace("_", " "))}</td><td class="l wrap">'
                    f"{html.escape(str(v))}</td></tr>" for k, v in record["machine"].items())
    return f'<h2 id="machine">Machine</h2><table>{lines}</table>'


def palette(record):
    """A look for each name, a colour or one that comes again; hakmem's is always the same."""
    names = [a["name"] for a in record["allocators"]]
    looks = [f"s{i}{again}" for again in ("", " again") for i in range(charts.SHAPES)]
    if len(names) > len(looks):
        raise UsageError(f"charts can tell {len(looks)} allocators apart, the record has {len(names)}")
    free = iter(look for look in looks if look != "s5" or SUBJECT not in names)
    return {name: "s5" if name == SUBJECT else next(free) for name in names}


def ratio_plots(record, rows, colour):
    baseline = record["options"]["baseline"]
    names = [n for n in colour if n != baseline]
    shown = "".join(
        f"<h3>{html.escape(suite)}</h3><figure>"
        + charts.ratio_plot([r for r in rows if r["suite"] == suite], baseline, names, colour) + "</figure>"
        for suite in dict.fromkeys(r["suite"] for r in rows)) if names else ""
    return (f'<h2 id="ratios">Time as a ratio to {html.escape(baseline)}</h2><p class="soft">The dot is the median, '
            f"the bar its 95 % interval; left of 1 is faster; a hollow dot is no difference.</p>"
            f"{charts.legend(names, colour)}{shown}")


def page(record, summary, verdicts):
    rows, colour = measured(summary), palette(record)
    found = {section.key: section for section in table.sections(record, summary)}
    names = list(colour)
    parts = [f"<h1>hakmem bench</h1><p>{html.escape(headline(record, summary))}</p>"
             f'<p class="soft">{html.escape(table.machine_text(record))}</p>', show_verdicts(verdicts)]
    parts += [show_section(found[key]) for key in ("standing", "losses", "larger", "wins", "ablations", "refused")]
    parts += [ratio_plots(record, rows, colour), show_section(found["time"], folded=True),
              show_section(found["memory"], folded=True),
              show_grid("Memory over time", [charts.rss_plot(row, names, colour) for row in rows],
                        charts.legend(names, colour))
              or '<p class="soft">No run was long enough to show its memory over time.</p>',
              show_section(found["moments"]), show_section(found["latency"], folded=True),
              show_grid("Latency by percentile", [charts.latency_plot(row, names, colour) for row in rows],
                        charts.legend(names, colour)),
              show_section(found["counters"]), show_section(found["proof"]),
              f'<h2 id="method">Method</h2><p>{METHOD.format(comparisons=summary["comparisons"])}</p>',
              show_machine(record)]
    return ("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>hakmem bench</title>"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
            f"<style>{STYLE}</style></head><body>\n" + "\n".join(filter(None, parts)) + "\n</body></html>\n")
