import type { IncomingMeta } from '../../../functions/cloud/envelope.ts';
import { eventText } from '../../../functions/nostr/event.ts';
import { instanceWith } from '../../support/instance.ts';
import { unsigned } from '../../support/unsigned.ts';

describe('Intake', () => {
  it('says OK true when Pub/Sub has acknowledged, and not before', async () => {
    const { take, published } = await instanceWith();
    let verdict: unknown;
    const taken = take(unsigned()).then((given) => {
      verdict = given;
    });
    await Promise.resolve();
    expect(published).toHaveLength(1);
    expect(verdict).toBeUndefined();
    published[0]?.settle();
    await taken;
    expect(verdict).toEqual({ accepted: true, message: '', outcome: 'accepted' });
  });

  it('tells store when, from where and under which trace it took the event', async () => {
    const { take, published } = await instanceWith();
    const taken = take(unsigned());
    published[0]?.settle();
    await taken;
    const meta = published[0]?.meta as IncomingMeta;
    expect(meta).toEqual({ acceptedAt: 1_000, trace: 'trace', source: 'client', keys: [] });
  });

  it('says OK false with error: when Pub/Sub does not take it, and then holds nothing of it', async () => {
    const { take, published, pending } = await instanceWith();
    const taken = take(unsigned());
    published[0]?.settle(new Error('away'));
    expect(await taken).toMatchObject({
      accepted: false,
      message: expect.stringMatching(/^error: /),
      outcome: 'unpublished',
    });
    expect(pending.size).toBe(0);
  });

  it('lets a second copy wait for the first one and share its fate', async () => {
    const { take, published } = await instanceWith();
    const copies = [take(unsigned()), take(unsigned())];
    expect(published).toHaveLength(1);
    published[0]?.settle();
    expect(await Promise.all(copies)).toEqual([
      { accepted: true, message: '', outcome: 'accepted' },
      {
        accepted: true,
        message: expect.stringMatching(/^duplicate: /),
        outcome: 'duplicate',
      },
    ]);
  });

  it('calls a stored event a duplicate without publishing it', async () => {
    const event = unsigned();
    const { take, published } = await instanceWith({ stored: [event] });
    expect(await take(event)).toMatchObject({
      accepted: true,
      message: expect.stringMatching(/^duplicate: /),
    });
    expect(published).toEqual([]);
  });

  it('calls an older version a duplicate, since a newer one is stored', async () => {
    const newer = unsigned({ kind: 0, created_at: 2 });
    const { take } = await instanceWith({ stored: [newer] });
    expect(await take(unsigned({ kind: 0, created_at: 1 }))).toEqual({
      accepted: true,
      message: 'duplicate: have a newer version',
      outcome: 'superseded',
    });
  });

  it('blocks what its author has deleted', async () => {
    const event = unsigned();
    const deletion = unsigned({ kind: 5, tags: [['e', event.id]] });
    const { take } = await instanceWith({ stored: [deletion] });
    expect(await take(event)).toMatchObject({
      accepted: false,
      message: expect.stringMatching(/^blocked: /),
    });
  });

  it('takes an event that a stranger asked to delete', async () => {
    const event = unsigned({ author: 1 });
    const deletion = unsigned({ author: 2, kind: 5, tags: [['e', event.id]] });
    const { take, published } = await instanceWith({ stored: [deletion] });
    const taken = take(event);
    published[0]?.settle();
    expect(await taken).toEqual({ accepted: true, message: '', outcome: 'accepted' });
  });

  it('lets nothing supersede or delete before it is durable', async () => {
    const { take, published } = await instanceWith();
    void take(unsigned({ kind: 0, created_at: 2 }));
    const older = take(unsigned({ kind: 0, created_at: 1 }));
    expect(published).toHaveLength(2);
    published[1]?.settle();
    expect(await older).toEqual({ accepted: true, message: '', outcome: 'accepted' });
  });

  it('refuses events while too many wait for the database', async () => {
    const { take, published, pending } = await instanceWith({ pendingBytesMax: 1 });
    const first = unsigned({ content: 'a' });
    const taken = take(first);
    published[0]?.settle();
    await taken;
    expect(await take(unsigned({ content: 'b' }))).toMatchObject({
      accepted: false,
      message: expect.stringMatching(/^error: /),
      outcome: 'unavailable',
    });
    pending.settle(first.id);
    void take(unsigned({ content: 'c' }));
    expect(published).toHaveLength(2);
  });

  it('delivers a new event on this instance as soon as it is durable, and once', async () => {
    const { take, published, live, follower } = await instanceWith();
    const event = unsigned();
    const taken = take(event);
    expect(live).toEqual(['EOSE']);
    published[0]?.settle();
    await taken;
    expect(live).toEqual(['EOSE', event.id]);
    const change = { transaction: 5, seq: 1, removed: [] };
    const meta = { id: event.id, outcome: 'stored', acceptedAt: 0, trace: 't', change } as const;
    follower.heard(meta, eventText(event));
    follower.heard(meta, eventText(event));
    expect(live).toEqual(['EOSE', event.id]);
  });

  it('finds an accepted event at once, before the database has it', async () => {
    const { take, published, answers } = await instanceWith();
    const event = unsigned();
    const taken = take(event);
    published[0]?.settle();
    await taken;
    const { events: found } = await answers.find(
      [{ ids: [event.id] }],
      new AbortController().signal,
    );
    expect(found.map(({ id }) => id)).toEqual([event.id]);
  });

  it('finds it by its id without asking a database that does not answer', async () => {
    const { take, published, answers, window } = await instanceWith();
    window.markGap();
    const event = unsigned();
    const taken = take(event);
    published[0]?.settle();
    await taken;
    const { events: found } = await answers.find([{ ids: [event.id] }], AbortSignal.abort());
    expect(found.map(({ id }) => id)).toEqual([event.id]);
  });

  it('hands ephemeral events on without keeping them', async () => {
    const { take, published, live, pending } = await instanceWith();
    const event = unsigned({ kind: 20_001 });
    const taken = take(event);
    published[0]?.settle();
    expect(await taken).toEqual({ accepted: true, message: '', outcome: 'accepted' });
    expect(published[0]?.meta).toMatchObject({ outcome: 'ephemeral' });
    expect(live).toEqual(['EOSE', event.id]);
    expect(pending.size).toBe(0);
  });

  it('says so when Pub/Sub does not take an ephemeral event', async () => {
    const { take, published } = await instanceWith();
    const taken = take(unsigned({ kind: 20_001 }));
    published[0]?.settle(new Error('away'));
    expect(await taken).toMatchObject({ accepted: false, outcome: 'unpublished' });
  });

  it('publishes an event again whose outcome never came', async () => {
    const { take, published, intake, clock } = await instanceWith();
    const event = unsigned();
    const taken = take(event);
    published[0]?.settle();
    await taken;
    intake.askAgain();
    expect(published).toHaveLength(1);
    clock.nowMs += 60_000;
    intake.askAgain();
    expect(published.map(({ id }) => id)).toEqual([event.id, event.id]);
    // It was accepted once, and waits since then.
    const times = published.map(({ meta }) => (meta as IncomingMeta).acceptedAt);
    expect(times).toEqual([1_000, 1_000]);
  });
});
