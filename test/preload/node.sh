#!/bin/bash
# node: JSON, zlib, Buffers of all sizes, worker threads that end, and a child process.
# shellcheck source=../support/preload.sh
. "$(dirname "$0")/../support/preload.sh"
require node

cat >"$work/program.js" <<'JS'
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const zlib = require('zlib');
const crypto = require('crypto');

const hash = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

function work(seed) {
    let state = seed;
    const next = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff);
    const rows = [];
    for (let i = 0; i < 8000; i++) {
        rows.push({ id: i, list: Array.from({ length: next() % 20 }, next), text: 'x'.repeat((next() >> 8) % 200) });
    }
    const text = JSON.stringify(rows);
    if (JSON.parse(text).length !== rows.length) throw new Error('JSON');
    const packed = zlib.deflateSync(text, { level: 6 });
    const brotli = zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } });
    if (zlib.inflateSync(packed).toString() !== text) throw new Error('zlib');
    if (zlib.brotliDecompressSync(brotli).toString() !== text) throw new Error('brotli');
    const buffers = [];
    for (let i = 0; i < 400; i++) {
        const buffer = Buffer.allocUnsafeSlow(1 + (next() >> 4) % 200000).fill(i);
        buffers.push(buffer);
        if (buffers.length > 50) buffers.splice((next() >> 4) % 50, 1);
    }
    return [seed, text.length, packed.length, brotli.length, hash(text), hash(Buffer.concat(buffers))].join(' ');
}

if (!isMainThread) {
    parentPort.postMessage(work(workerData));
} else {
    const results = [work(1)];
    const start = (seed) => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: seed });
        worker.on('message', (message) => results.push(message));
        worker.on('error', reject);
        worker.on('exit', resolve);
    });
    (async () => {
        for (let round = 0; round < 3; round++) await Promise.all([1, 2, 3].map((i) => start(round * 10 + i)));
        results.sort();
        console.log(results.join('\n'));
        const script = 'console.log([1,2,3].map(x=>x*2)); process.exit(4)';
        const child = require('child_process').spawnSync(process.execPath, ['-e', script]);
        console.log(child.stdout.toString(), child.status);
        process.exitCode = 7;
    })();
}
JS
on_libc node node "$work/program.js"
on_hakmem node node "$work/program.js"
same node
[ "$(cat "$work/node.hakmem.status")" = 7 ] || fail "node: did not run to its end"
