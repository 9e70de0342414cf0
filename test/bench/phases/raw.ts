import { eventText } from '../../../functions/nostr/event.ts';
import { type Bench, type Figures, instancesOf } from '../bench.ts';
import { BenchConnection } from '../connection.ts';
import { latencyOf } from '../statistics.ts';

/** How long an event may stay unfound before it counts as lost. */
const FOUND_TIMEOUT_MS = 3_000;

/** Publish, wait for the OK, ask for it on another socket: one at a time, nothing else runs. */
export async function readAfterWrite(bench: Bench): Promise<Figures> {
  const { first } = instancesOf(bench);
  const writer = await BenchConnection.connect(first);
  const reader = await BenchConnection.connect(first);
  const toOk: number[] = [];
  const toFound: number[] = [];
  let foundAtOnce = 0;
  let refused = 0;
  let lost = 0;
  // The fan-out phase uses the notes from the front, this one those from the back.
  for (const event of bench.data.live.slice(-bench.scale.readAfterWrites)) {
    const started = performance.now();
    if ((await writer.publish(event.id, eventText(event))) !== true) {
      refused += 1;
      continue;
    }
    const acknowledged = performance.now();
    toOk.push(acknowledged - started);
    let turns = 1;
    let answer = await reader.query({ ids: [event.id] });
    while (answer.count === 0 && performance.now() - acknowledged < FOUND_TIMEOUT_MS) {
      answer = await reader.query({ ids: [event.id] });
      turns += 1;
    }
    if (answer.count === 0) {
      lost += 1;
      continue;
    }
    if (turns === 1) foundAtOnce += 1;
    toFound.push(performance.now() - started);
  }
  writer.close();
  reader.close();
  return {
    'publish to OK p50 ms': latencyOf(toOk).p50Ms,
    'publish to OK p99 ms': latencyOf(toOk).p99Ms,
    'publish to found p50 ms': latencyOf(toFound).p50Ms,
    'publish to found p99 ms': latencyOf(toFound).p99Ms,
    'found at the first REQ after OK': `${foundAtOnce}/${toOk.length}`,
    refused,
    lost,
  };
}
