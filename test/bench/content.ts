import type { NostrEvent } from '../../functions/nostr/event.ts';
import type { Random } from './random.ts';

/** What an event of the bench is made from. */
export interface Ingredients {
  readonly random: Random;
  readonly kind: number;
  /** The note that it answers, likes, repeats, zaps or reports. */
  readonly target: NostrEvent | undefined;
  readonly authors: readonly string[];
  readonly pubkey: string;
  readonly created_at: number;
}

export interface Content {
  readonly content: string;
  readonly tags: readonly (readonly string[])[];
}

const WORDS = (
  'the of and a to in is it you that he was for on are with as I his they be at one have this ' +
  'from or had by hot but some what there we can out other were all your when up use how said ' +
  'each she which do their time if will way about many then them would write like so these her ' +
  'long make thing see him two has look more day could go come did my sound no most number who ' +
  'over know water than call first people may down side been now find any new work part take ' +
  'sats nostr relay bitcoin gm pv plebchain note café naïve 日本 🚀 🤙 ⚡ 💜'
).split(' ');
const RELAYS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'].map(
  (name) => `wss://relay-${name}.example.com`,
);

/** Words up to a length, cut nowhere inside a character. */
export function textOf(random: Random, length: number): string {
  let text = '';
  while (text.length < length) text += `${text === '' ? '' : ' '}${random.pick(WORDS)}`;
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
}

export function hexOf(random: Random, length: number): string {
  let hex = '';
  while (hex.length < length) hex += random.int(4_294_967_296).toString(16).padStart(8, '0');
  return hex.slice(0, length);
}

/** Content and tags as clients of today write them, by kind. */
export function contentOf(from: Ingredients): Content {
  const { random, kind, target } = from;
  if (kind === 0) return profile(random);
  if (kind === 3) return follows(from);
  if (kind === 10_002) return relayList(random);
  if (kind === 30_023) return article(from);
  if (kind === 1 || target === undefined) return note(from);
  if (kind === 9735) return zap(from, target);
  const e = ['e', target.id];
  const p = ['p', target.pubkey];
  if (kind === 7) {
    const content = random.pick(['+', '🤙', '❤️', '⚡', '-', '🚀']);
    return {
      content,
      tags: [[...e, random.pick(RELAYS)], p, ['k', `${target.kind}`]],
    };
  }
  if (kind === 6) {
    const content = JSON.stringify(target.content.length > 2000 ? { id: target.id } : target);
    return { content, tags: [[...e, random.pick(RELAYS)], p] };
  }
  const reason = random.pick(['spam', 'nudity', 'impersonation']);
  return { content: textOf(random, 30), tags: [[...e, reason], p] };
}

function note({ random, target, authors }: Ingredients): Content {
  let content = textOf(random, random.lognormal(140, 0.9, 4000));
  const tags: string[][] = [];
  if (target !== undefined && random.next() < 0.55) {
    const root = target.tags.find((tag) => tag[0] === 'e' && tag[3] === 'root')?.[1] ?? target.id;
    tags.push(['e', root, random.pick(RELAYS), 'root']);
    if (root !== target.id) tags.push(['e', target.id, random.pick(RELAYS), 'reply']);
    tags.push(['p', target.pubkey]);
    for (let more = random.int(3); more > 0; more -= 1) {
      tags.push(['p', authors[random.skewed(authors.length, 0.5)] ?? target.pubkey]);
    }
  }
  if (random.next() < 0.18) {
    for (let more = 1 + random.int(3); more > 0; more -= 1) {
      tags.push(['t', random.pick(WORDS).toLowerCase()]);
    }
  }
  if (random.next() < 0.15) content += ` https://images.example.com/${hexOf(random, 40)}.jpg`;
  return { content, tags };
}

function zap({ random, pubkey, created_at }: Ingredients, target: NostrEvent): Content {
  const request = {
    kind: 9734,
    content: '',
    tags: [
      ['relays', ...RELAYS.slice(0, 2)],
      ['amount', '21000'],
      ['p', target.pubkey],
      ['e', target.id],
    ],
    pubkey,
    created_at,
    id: hexOf(random, 64),
    sig: hexOf(random, 128),
  };
  const tags = [
    ['p', target.pubkey],
    ['P', pubkey],
    ['e', target.id],
    ['bolt11', `lnbc210n1p${hexOf(random, 270)}`],
    ['preimage', hexOf(random, 64)],
    ['description', JSON.stringify(request)],
  ];
  return { content: '', tags };
}

function profile(random: Random): Content {
  const content = JSON.stringify({
    name: textOf(random, 8).replaceAll(' ', '_'),
    display_name: textOf(random, 14),
    about: textOf(random, random.lognormal(120, 0.7, 800)),
    picture: `https://images.example.com/${hexOf(random, 32)}.png`,
    banner: `https://images.example.com/${hexOf(random, 32)}.jpg`,
    nip05: `${textOf(random, 6).trim()}@example.com`,
    lud16: `${textOf(random, 6).trim()}@wallet.example.com`,
  });
  return { content, tags: [] };
}

function follows({ random, authors }: Ingredients): Content {
  const chosen = random.sample(authors.length, random.lognormal(150, 0.9, 600));
  return { content: '', tags: chosen.map((index) => ['p', authors[index] ?? '']) };
}

function relayList(random: Random): Content {
  const tags = random.sample(RELAYS.length, 3 + random.int(5)).map((index) => {
    const tag = ['r', RELAYS[index] ?? ''];
    return random.next() < 0.6 ? tag : [...tag, random.next() < 0.5 ? 'read' : 'write'];
  });
  return { content: '', tags };
}

function article({ random, created_at }: Ingredients): Content {
  const tags = [
    ['d', `article-${random.int(40)}`],
    ['title', textOf(random, 40)],
    ['summary', textOf(random, 120)],
    ['published_at', `${created_at}`],
    ['t', random.pick(WORDS).toLowerCase()],
  ];
  return { content: textOf(random, random.lognormal(4000, 0.6, 20_000)), tags };
}
