import { Registry } from '../../functions/cloud/metrics/registry.ts';
import { DeliveryMeter } from '../../functions/relay/delivery-meter.ts';
import { EventMeter } from '../../functions/relay/event-meter.ts';
import { StoreMeter } from '../../functions/store/meter.ts';

/**
 * What metrics cost of one accepted event: exactly the calls that it causes in the relay that
 * takes it, in store and in one more relay, clock reads included, and nothing else.
 * `npm run bench:metrics -- [events in a message] [CPU of an event in microseconds]`; the latter is
 * the total of `npm run bench`, of which the share is printed.
 */
const lines = Number(process.argv[2] ?? 1);
const cpuMicroseconds = Number(process.argv[3] ?? 502);
const MESSAGES = Math.ceil(400_000 / lines);
const ROUNDS = 7;

const relay = new Registry('relay');
const other = new Registry('relay');
const store = new Registry('store');
const events = new EventMeter(relay);
const verifying = relay.distribution('verify_duration', {});
const here = new DeliveryMeter(relay, Date.now);
const there = new DeliveryMeter(other, Date.now);
const storing = new StoreMeter(store);
/** A publisher's and a pool's own; both parts have them. */
const perMessage = [relay, store].map((registry) => ({
  batch: registry.distribution('publish_batch', {}),
  publish: registry.distribution('publish_duration', {}),
  wait: registry.distribution('database_wait', { pool: 'primary' }),
}));

/** Admission, OK, own delivery, commit, delivery elsewhere. */
function oneEvent(acceptedAt: number): void {
  const began = performance.now();
  verifying.record((performance.now() - began) * 1_000);
  here.announced(1, 'own', acceptedAt);
  events.answered(1, 'accepted', performance.now() - began);
  storing.stored('client', Date.now() - acceptedAt);
  there.announced(1, 'fast', acceptedAt);
}

function oneMessage(): void {
  const acceptedAt = Date.now();
  const settled = [];
  for (let line = 0; line < lines; line += 1) {
    oneEvent(acceptedAt);
    settled.push({ outcome: 'stored', kind: 1, buried: false } as const);
  }
  for (const { batch, publish } of perMessage) {
    const began = performance.now();
    batch.record(lines);
    publish.record(performance.now() - began);
  }
  const began = performance.now();
  perMessage[1]?.wait.record(performance.now() - began);
  storing.handled(settled, 1, performance.now() - began);
}

const figures: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  const before = process.cpuUsage();
  for (let message = 0; message < MESSAGES; message += 1) oneMessage();
  const { user, system } = process.cpuUsage(before);
  figures.push((user + system) / (MESSAGES * lines));
}
// The median: the first round still compiles.
const microseconds = figures.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
const share = ((100 * microseconds) / cpuMicroseconds).toFixed(2);
console.log(
  `metrics: ${microseconds.toFixed(2)} µs/event with ${lines} in a message, ` +
    `${share} % of ${cpuMicroseconds} µs`,
);
