import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPubSub } from '../../functions/cloud/pubsub.ts';
import { eventText, type NostrEvent } from '../../functions/nostr/event.ts';
import {
  type CloudStorageSubscription,
  subscribeStorage,
} from '../support/cloud-storage-subscription.ts';
import { sampleEvents } from '../support/corpus.ts';
import { expectServed } from '../support/expect-served.ts';
import { fetchAll } from '../support/fetch-all.ts';
import { runClient } from '../support/run-client.ts';
import { signedEvent } from '../support/signed-events.ts';
import { SocketClient } from '../support/socket-client.ts';
import { type System, startSystem } from '../support/system.ts';
import { until } from '../support/until.ts';

const TIMEOUT_MS = 30_000;

let folder = '';
const systems: System[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distrise-archive-'));
});
afterEach(async () => {
  await Promise.all(systems.splice(0).map((system) => system.remove()));
  await rm(folder, { recursive: true });
}, 60_000);

async function started(): Promise<System & { readonly url: string }> {
  const system = await startSystem();
  systems.push(system);
  return { ...system, url: system.urls[0] ?? '' };
}

/** The archive of a system, as Terraform makes it before the first event comes. */
async function archiveOf(system: System): Promise<CloudStorageSubscription> {
  const pubsub = openPubSub({
    GOOGLE_CLOUD_PROJECT: system.variable('GOOGLE_CLOUD_PROJECT'),
    PUBSUB_EMULATOR_HOST: system.variable('PUBSUB_EMULATOR_HOST'),
  });
  const archive = await subscribeStorage(pubsub, 'incoming', join(folder, 'bucket'));
  return {
    ...archive,
    async close() {
      await archive.close();
      await pubsub.close();
    },
  };
}

/** Publishes them and gives those that got OK. */
async function publish(url: string, events: readonly NostrEvent[]): Promise<NostrEvent[]> {
  const client = await SocketClient.open(url);
  const answers = await Promise.all(events.map((event) => client.publish(event)));
  await client.close();
  return events.filter((_, index) => answers[index]?.accepted);
}

interface Report {
  readonly complete: boolean;
  readonly lines: number;
  readonly bad: number;
  readonly accepted: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
}

async function importInto(url: string, objects: readonly string[]): Promise<Report> {
  const args = ['import', '--json', '--quiet', '--relay', url, ...objects];
  const env = { XDG_STATE_HOME: join(folder, 'state') };
  return (await runClient(args, { env })).json()[0] as Report;
}

const textsOf = (events: readonly NostrEvent[]) => events.map(eventText).toSorted();

const note = signedEvent({ content: 'to be deleted' });
const deletion = signedEvent({ kind: 5, tags: [['e', note.id]], created_at: 1_700_000_100 });
const profile = signedEvent({ kind: 0, content: '{"name":"old"}' });
const newer = signedEvent({ kind: 0, content: '{"name":"new"}', created_at: 1_700_000_200 });
const odd = signedEvent({ content: 'a\\n "line"\n and \u2028 and \u0000', key: 2 });
const passing = signedEvent({ kind: 20_001, content: 'ephemeral' });

it('a database that is lost comes back whole from the archive', async () => {
  const lost = await started();
  const archive = await archiveOf(lost);
  const first = await publish(lost.url, [...sampleEvents(), note, profile, odd]);
  const objects = await archive.write(first, { messagesMax: 1, forgetFirst: true });
  await publish(lost.url, [passing]);
  const second = await publish(lost.url, [deletion, newer]);
  objects.push(...(await archive.write(second)));
  await expectServed(lost.url, [...first, ...second], TIMEOUT_MS);
  const before = textsOf(await fetchAll(lost.url));
  expect(before.length).toBeGreaterThan(400);
  await archive.close();
  await lost.stop();
  await lost.remove();

  // An object of several messages, one of several events, and one that came twice.
  const contents = objects.map((path) => readFileSync(path, 'utf8'));
  expect(objects.length).toBeGreaterThan(3);
  expect(contents.some((text) => text.split('\n').length > 2)).toBe(true);
  expect(new Set(contents).size).toBeLessThan(contents.length);
  expect(contents.join('\n')).not.toContain(passing.id);

  const found = await started();
  const report = await importInto(found.url, objects);
  expect(report).toMatchObject({ complete: true, bad: 0 });
  expect(Object.keys(report.refused).filter((reason) => reason !== 'blocked')).toEqual([]);
  await expectServed(found.url, [...first, ...second], TIMEOUT_MS);
  expect(textsOf(await fetchAll(found.url))).toEqual(before);
}, 180_000);

it('what was deleted or replaced since stays so when an old object is imported', async () => {
  const system = await started();
  const archive = await archiveOf(system);
  const objects = await archive.write(await publish(system.url, [note, profile, odd]));
  await publish(system.url, [deletion, newer]);
  await expectServed(system.url, [note, profile, odd, deletion, newer], TIMEOUT_MS);
  // Until store has said what became of the note, the relay calls it a duplicate.
  const report = await until(
    async () => {
      const each = await importInto(system.url, objects);
      return each.refused['blocked'] === undefined ? undefined : each;
    },
    { timeoutMs: TIMEOUT_MS, what: 'the refusal of the deleted note' },
  );
  expect(report).toMatchObject({ refused: { blocked: 1 }, accepted: { duplicate: 2 }, bad: 0 });
  expect(textsOf(await fetchAll(system.url))).toEqual(textsOf([deletion, newer, odd]));
  await archive.close();
}, 120_000);
