#!/bin/bash
# sqlite3: 60,000 rows with indexes, JSON, full-text search, vacuum and integrity check; in memory and in a file.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require sqlite3

cat >"$work/query.sql" <<'SQL'
.bail on
PRAGMA cache_size = 4000;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, kind INT, weight REAL, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO item SELECT i, 'item-' || (i * 7919 % 60000), i % 97, (i * 37 % 1000) / 7.0,
    substr('the quick brown fox jumps over the lazy dog and runs away again', 1 + i % 30, i % 40) FROM n;
CREATE INDEX item_name ON item(name);
CREATE INDEX item_kind ON item(kind, weight);
SELECT kind, count(*), round(sum(weight), 3), max(name) FROM item GROUP BY kind ORDER BY 3 DESC LIMIT 7;
SELECT count(*) FROM item a JOIN item b ON a.name = 'item-' || b.id WHERE b.kind < 20;
SELECT group_concat(name, ',') FROM (SELECT name FROM item WHERE note LIKE '%fox%' ORDER BY weight DESC, id LIMIT 20);
SELECT json_extract(j, '$.id'), length(j) FROM
    (SELECT json_object('id', id, 'list', json_array(name, kind, weight), 'note', note) j FROM item)
    ORDER BY 2 DESC, 1 LIMIT 5;
SELECT sum(value) FROM json_each((SELECT json_group_array(id) FROM item));
CREATE VIRTUAL TABLE words USING fts5(note);
INSERT INTO words(rowid, note) SELECT id, note FROM item WHERE id % 3 = 0;
SELECT count(*) FROM words WHERE words MATCH 'quick OR lazy';
SELECT rowid, highlight(words, 0, '[', ']') FROM words WHERE words MATCH 'brown NEAR fox' ORDER BY rank, rowid LIMIT 5;
BEGIN;
UPDATE item SET note = note || printf('%.*c', id % 200, 'z') WHERE id % 2;
DELETE FROM item WHERE id % 5 = 0;
COMMIT;
SELECT count(*), sum(length(note)) FROM item;
SELECT sum(length(x)) FROM (SELECT zeroblob(id * 50) x FROM item WHERE id % 100 = 1);
VACUUM;
PRAGMA integrity_check;
INSERT INTO words(words) VALUES ('integrity-check');
SELECT 'done';
SQL

for place in :memory: data.db; do
    name=$(basename "$place" .db | tr -d :)
    both "$name" sqlite3 -init /dev/null -batch "$place" ".read $work/query.sql"
    grep -qx ok "$work/$name.hakmem.out" || fail "$name: no integrity"
    grep -qx 'done' "$work/$name.hakmem.out" || fail "$name: did not run to its end"
done
same_files data data.db
