"""The record: everything that was measured, as one JSON file.

Purpose.     Samples as they were taken, none left out, with the machine, the allocators, the refusals and the proof.
Design.      A cell is what one allocator did in one row, kept in columns: the i-th value of each belongs to the same
             run. The series of RSS over time is kept of one run per cell, the first that has enough points.
"""
import csv
import json

from . import UsageError

FORMAT = 1
COLUMNS = ("round", "ns", "wall_ns", "user_us", "system_us", "peak_kib", "mean_kib", "minor_faults", "major_faults")
SERIES_POINTS = 8


def new(machine, options, allocators, rows, missing):
    return {"hakmem_bench": FORMAT, "options": options, "machine": machine, "interrupted": False,
            "allocators": [a.describe() for a in allocators], "missing": missing, "refused": [],
            "counters_note": "not measured", "rows": [dict(row.describe(), cells={}) for row in rows]}


def cell(record, row_id, allocator):
    row = next(r for r in record["rows"] if r["id"] == row_id)
    fresh = {column: [] for column in COLUMNS} | {"moments": {}, "rss": [], "latency": [], "proved": 0,
                                                  "allocations": 0}
    return row["cells"].setdefault(allocator, fresh)


def add_sample(record, row_id, allocator, at, sample):
    target = cell(record, row_id, allocator)
    for column in COLUMNS:
        target[column].append(at if column == "round" else sample[column])
    target["proved"] += sample["processes"]
    target["allocations"] += sample["allocations"]
    for moment, kib in sample.get("moments", {}).items():
        target["moments"].setdefault(moment, []).append(kib)
    if not target["rss"] and len(sample["rss"]) >= SERIES_POINTS:
        target["rss"] = sample["rss"]


def refuse(record, row_id, allocator, why):
    record["refused"].append({"row": row_id, "allocator": allocator, "why": why})


def is_refused(record, row_id, allocator):
    return any(r["row"] == row_id and r["allocator"] == allocator for r in record["refused"])


def write_json(record, file):
    """One cell per line: readable, and small differences in a repository stay small."""
    rows = record["rows"]
    shell = json.dumps(dict(record, rows=[]), indent=1)
    lines = []
    for row in rows:
        cells = ",\n   ".join(f"{json.dumps(n)}: {json.dumps(c)}" for n, c in row["cells"].items())
        head = json.dumps({k: v for k, v in row.items() if k != "cells"})[:-1]
        lines.append(f"  {head}, \"cells\": {{\n   {cells}}}}}")
    head, _, tail = shell.rpartition('"rows": []')
    file.write(head + '"rows": [\n' + ",\n".join(lines) + "\n ]" + tail + "\n")


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the record {path}: {error}") from error
    if not isinstance(record, dict) or record.get("hakmem_bench") != FORMAT:
        raise UsageError(f"{path} is no record of 'hakmem bench --record'")
    return record


def write_csv(record, file):
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("suite", "row", "size", "threads", "work", "unit", "allocator", "refused", *COLUMNS))
    for row in record["rows"]:
        for name, columns in row["cells"].items():
            refused = int(is_refused(record, row["id"], name))
            for values in zip(*(columns[column] for column in COLUMNS)):
                writer.writerow((row["suite"], row["id"], row["size"], row["threads"], row["work"], row["unit"], name,
                                 refused, *values))
