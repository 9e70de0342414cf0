import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { remaining } from './slow-oracle.ts';

/**
 * By hand: `node test/support/expected-remaining.ts FILE` reads events, one JSON a line (`.gz`
 * too), and prints those that a relay must still hold after taking them all, newest first.
 */
const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node test/support/expected-remaining.ts FILE.jsonl[.gz]\n');
  process.exit(2);
}
const bytes = readFileSync(file);
const lines = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n');
const events = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as NostrEvent);
const kept = remaining(events);
process.stdout.write(kept.map((event) => `${eventText(event)}\n`).join(''));
process.stderr.write(`${kept.length} of ${events.length} events must remain\n`);
