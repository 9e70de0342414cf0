import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import { publicKeyOf, secretKeyOf, signEvent } from '../support/keys.ts';
import { contentOf, hexOf, textOf } from './content.ts';
import { type Random, randomOf } from './random.ts';

/** What a bench publishes; the same seed and size give the same ids and signatures. */
export interface BenchData {
  /** The write stream of a public relay, oldest first. */
  readonly main: readonly NostrEvent[];
  /** Plain notes, newer than all of `main`, for read-after-write and fan-out. */
  readonly live: readonly NostrEvent[];
}

/** Newest `created_at` of the main data: a constant, so that ids never change. */
export const NEWEST_SECONDS = 1_795_000_000;
export const SPAN_SECONDS = 30 * 86_400;

/** Part of the cache's file names; raise it when the data change. */
const VERSION = 1;
const LIVE_AUTHORS = 100;

/** Shares of kinds in a public relay's write stream. */
const MIX: readonly (readonly [kind: number, share: number])[] = [
  [1, 0.4],
  [7, 0.26],
  [6, 0.08],
  [9735, 0.08],
  [0, 0.05],
  [10002, 0.04],
  [3, 0.03],
  [1984, 0.03],
  [30023, 0.03],
];
const RESPONDING = new Set([6, 7, 9735, 1984]);

/** Topic of the live notes. */
export const liveTopic = (seed: number): string => `live${seed}`;

/** Makes the data, or reads them from the folder where an earlier run left them. */
export async function loadData(seed: number, count: number, live: number): Promise<BenchData> {
  const folder = join(tmpdir(), 'distrise-bench-data');
  await mkdir(folder, { recursive: true });
  return {
    main: await cached(join(folder, `v${VERSION}-s${seed}-n${count}.jsonl`), () =>
      makeMain(seed, count),
    ),
    live: await cached(join(folder, `v${VERSION}-s${seed}-live${live}.jsonl`), () =>
      makeLive(seed, live),
    ),
  };
}

async function cached(file: string, make: () => NostrEvent[]): Promise<NostrEvent[]> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text !== undefined) {
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as NostrEvent);
  }
  const events = make();
  // Whoever renames last wins; all have made the same.
  const partial = `${file}.${process.pid}`;
  await writeFile(partial, `${events.map(eventText).join('\n')}\n`);
  await rename(partial, file);
  return events;
}

function makeMain(seed: number, count: number): NostrEvent[] {
  const random = randomOf(seed);
  const secrets = Array.from({ length: Math.max(200, Math.floor(count / 20)) }, (_, index) =>
    secretKeyOf(`bench ${seed} ${index}`),
  );
  const authors = secrets.map(publicKeyOf);
  const events: NostrEvent[] = [];
  const notes: NostrEvent[] = [];
  for (let index = 0; index < count; index += 1) {
    const target = recent(random, notes);
    let kind = kindOf(random);
    if (target === undefined && RESPONDING.has(kind)) kind = 1;
    const author = random.skewed(secrets.length, 0.5);
    const created_at = Math.floor(NEWEST_SECONDS - SPAN_SECONDS + (index * SPAN_SECONDS) / count);
    const secret = secrets[author];
    const pubkey = authors[author];
    if (secret === undefined || pubkey === undefined) throw new Error('no such author');
    const made = contentOf({ random, kind, target, authors, pubkey, created_at });
    const event = signEvent({ kind, created_at, ...made }, secret);
    if (kind === 1 || kind === 30_023) notes.push(event);
    events.push(event);
  }
  return events;
}

function kindOf(random: Random): number {
  let at = random.next();
  for (const [kind, share] of MIX) {
    if (at < share) return kind;
    at -= share;
  }
  return 1;
}

/** People answer what is new. */
function recent(random: Random, notes: readonly NostrEvent[]): NostrEvent | undefined {
  if (notes.length === 0) return undefined;
  return notes[notes.length - 1 - random.skewed(notes.length, 0.75)];
}

function makeLive(seed: number, count: number): NostrEvent[] {
  const random = randomOf(seed ^ 0x5eed);
  return Array.from({ length: count }, (_, index) =>
    signEvent(
      {
        kind: 1,
        created_at: NEWEST_SECONDS + 60 + index,
        tags: [
          ['t', liveTopic(seed)],
          ['n', hexOf(random, 8)],
        ],
        content: textOf(random, random.lognormal(140, 0.9, 2000)),
      },
      secretKeyOf(`bench live ${seed} ${index % LIVE_AUTHORS}`),
    ),
  );
}
