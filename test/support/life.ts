import type { NostrEvent } from '../../functions/nostr/event.ts';
import { randomOf } from '../bench/random.ts';
import { publicKeyOf, secretKeyOf, signEvent } from './keys.ts';

const AUTHORS = 20;
const ARTICLES = 5;
/** Many share one second, so that ties are common. */
const EVENTS_A_SECOND = 50;

/**
 * Endless events of some people's life: notes, reactions, new profiles, new articles, and now
 * and then the deletion of something that was accepted before. All follows from the seed and
 * from what was accepted.
 */
export class Life {
  /** In every event, so that a subscription or a query can name them all. */
  readonly topic: string;
  private readonly random: ReturnType<typeof randomOf>;
  private readonly secrets: readonly Uint8Array[];
  private readonly accepted: ReadonlyMap<string, NostrEvent>;
  private readonly deletable: NostrEvent[] = [];
  private second: number;
  private count = 0;

  constructor(seed: number, accepted: ReadonlyMap<string, NostrEvent>) {
    this.topic = `life${seed}`;
    this.random = randomOf(seed);
    this.accepted = accepted;
    this.secrets = Array.from({ length: AUTHORS }, (_, index) =>
      secretKeyOf(`life ${seed} ${index}`),
    );
    // The past hour: nothing here is from the future, however long the test takes.
    this.second = Math.floor(Date.now() / 1000) - 3_600;
  }

  next(): NostrEvent {
    const { random, topic } = this;
    this.count += 1;
    if (this.count % EVENTS_A_SECOND === 0) this.second += 1;
    const secret = random.pick(this.secrets);
    const created_at = this.second;
    const content = `event ${this.count} of ${topic}`;
    const tags = [['t', topic]];
    const at = random.next();
    if (at < 0.01) return this.deletionOfArticle(secret);
    if (at < 0.05)
      return this.deletion() ?? signEvent({ kind: 1, created_at, tags, content }, secret);
    if (at < 0.15) return signEvent({ kind: 0, created_at, tags, content }, secret);
    if (at < 0.25) {
      const article = [['d', `article ${random.int(ARTICLES)}`], ...tags];
      return signEvent({ kind: 30_023, created_at, tags: article, content }, secret);
    }
    const kind = random.next() < 0.3 ? 7 : 1;
    const event = signEvent({ kind, created_at, tags, content }, secret);
    if (random.next() < 0.2) this.deletable.push(event);
    return event;
  }

  /** By `a`: all versions up to now. */
  private deletionOfArticle(secret: Uint8Array): NostrEvent {
    const address = `30023:${publicKeyOf(secret)}:article ${this.random.int(ARTICLES)}`;
    const tags = [
      ['a', address],
      ['t', this.topic],
    ];
    return signEvent({ kind: 5, created_at: this.second, tags }, secret);
  }

  /** By `e`, of something that its author knows to be taken. */
  private deletion(): NostrEvent | undefined {
    const index = this.deletable.findIndex(({ id }) => this.accepted.has(id));
    const [target] = index < 0 ? [] : this.deletable.splice(index, 1);
    const secret = this.secrets.find((each) => publicKeyOf(each) === target?.pubkey);
    if (target === undefined || secret === undefined) return undefined;
    const tags = [
      ['e', target.id],
      ['t', this.topic],
    ];
    return signEvent({ kind: 5, created_at: this.second, tags }, secret);
  }
}
