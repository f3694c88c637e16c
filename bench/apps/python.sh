#!/bin/bash
# summary: python3: 15,000 objects through JSON, dicts and sort
# needs: python3
# Models.      A script that reads data, builds an index and sorts it. What is above 512 B python3 asks malloc for; the
#              rest it carves from arenas that it maps itself.
# Cannot show. What malloc does with the small blocks: python-malloc has them.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    cat >objects.py <<'PY'
import json, random

random.seed(1)
rows = []
for i in range(15000):
    rows.append({"id": i, "name": "n%d" % i, "tags": ["t%d" % (i * k % 997) for k in range(8)], "weight": i / 7})
for _ in range(2):
    rows = json.loads(json.dumps(rows))
    random.shuffle(rows)
    index = {}
    for row in rows:
        for tag in row["tags"]:
            index.setdefault(tag, []).append(row["id"])
rows.sort(key=lambda row: (row["tags"], row["name"]))
print(len(index), sum(len(v) for v in index.values()), rows[0]["id"], rows[-1]["id"], rows[len(rows) // 2]["name"])
PY
}

run() { exec python3 objects.py; }

app "$@"
