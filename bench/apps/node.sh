#!/bin/bash
# summary: node: JSON, maps, sort, compression and buffers of 1 B to 200 kB
# needs: node
# Models.      JavaScript, whose objects live in V8's own heap; what it compiles, compresses and keeps in buffers is
#              malloc's.
# Cannot show. Worker threads: one thread runs the script (and V8's own help it).
. "${BASH_SOURCE[0]%/*}/common.bash"

prepare() {
    cat >program.js <<'JS'
'use strict';
const zlib = require('zlib');
const crypto = require('crypto');
const hash = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

let state = 1;
const next = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff);
for (let round = 0; round < 3; round++) {
    const rows = [];
    for (let i = 0; i < 8000; i++) {
        rows.push({ id: i, list: Array.from({ length: next() % 20 }, next), text: 'x'.repeat((next() >> 8) % 200) });
    }
    const text = JSON.stringify(rows);
    const index = new Map(JSON.parse(text).map((row) => [row.text.length * 100000 + row.id, row]));
    const order = [...index.keys()].sort((a, b) => a - b);
    const packed = zlib.deflateSync(text, { level: 6 });
    if (zlib.inflateSync(packed).toString() !== text) throw new Error('zlib');
    const buffers = [];
    for (let i = 0; i < 2000; i++) {
        buffers.push(Buffer.allocUnsafeSlow(1 + (next() >> 4) % 200000).fill(i));
        if (buffers.length > 50) buffers.splice((next() >> 4) % 50, 1);
    }
    console.log(text.length, packed.length, order[order.length >> 1], hash(text), hash(Buffer.concat(buffers)));
}
JS
}

run() { exec node program.js; }

app "$@"
