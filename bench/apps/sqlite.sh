#!/bin/bash
# summary: sqlite3: 150,000 rows in memory; index, join, JSON, deletions
# needs: sqlite3
# Models.      A database in memory: each page is a block of a little more than 4 KiB, each statement and value a small
#              one. Half of the rows are deleted and others put in their place.
# Cannot show. A database in a file, where the page cache is bounded.
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    cat >rows.sql <<'SQL'
PRAGMA page_size = 4096;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, kind INT, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
INSERT INTO item SELECT i, 'item-' || (i * 7919 % 150000), i % 97, substr('the quick brown fox jumps', i % 20) FROM n;
CREATE INDEX item_name ON item(name);
SELECT kind, count(*), max(name) FROM item GROUP BY kind ORDER BY 3 DESC LIMIT 5;
SELECT count(*) FROM item a JOIN item b ON a.name = 'item-' || b.id WHERE b.kind < 30;
SELECT sum(length(json_object('id', id, 'list', json_array(name, kind), 'note', note))) FROM item;
DELETE FROM item WHERE id % 2 = 0;
INSERT INTO item SELECT id + 150001, name || '-again', kind, note || note FROM item WHERE kind < 50;
SELECT count(*), sum(id), max(name) FROM item;
PRAGMA integrity_check;
SQL
}

run() { exec sqlite3 -init /dev/null -batch :memory: '.read rows.sql'; }

app "$@"
