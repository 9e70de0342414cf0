import { monitoredRelays, outboxesOf, relaysInUse } from '../../../functions/fetch/outbox.ts';
import { authorOf, unsigned } from '../../support/unsigned.ts';

const list = (author: number, ...tags: string[][]) => unsigned({ author, kind: 10_002, tags });

describe('outboxes', () => {
  it('are the relays that authors write to, each with its authors', () => {
    const lists = [
      list(2, ['r', 'wss://both.example'], ['r', 'wss://read.example', 'read']),
      list(1, ['r', 'wss://BOTH.example/'], ['r', 'wss://write.example', 'write']),
    ];
    expect(outboxesOf(lists)).toEqual([
      { url: 'wss://both.example/', authors: [authorOf(1), authorOf(2)] },
      { url: 'wss://write.example/', authors: [authorOf(1)] },
    ]);
  });

  it('are none of what is no plain wss address, and no more than an author may sensibly have', () => {
    const odd = [
      ['r'],
      ['r', 'ws://plain.example'],
      ['r', 'https://page.example'],
      ['r', 'wss://user:password@relay.example'],
      ['r', `wss://${'x'.repeat(300)}.example`],
      ['r', 'nonsense'],
      ['e', 'wss://tag.example'],
    ];
    expect(outboxesOf([list(1, ...odd)])).toEqual([]);
    const many = Array.from({ length: 30 }, (_, n) => ['r', `wss://${n}.example`]);
    expect(outboxesOf([list(1, ...many)])).toHaveLength(4);
    expect(outboxesOf([unsigned({ kind: 1, tags: [['r', 'wss://a.example']] })])).toEqual([]);
  });
});

describe('monitored relays', () => {
  it('are named by the d tag of kind 30166, each once (NIP-66)', () => {
    const seen = (d: string, kind = 30_166) => unsigned({ kind, tags: [['d', d]] });
    const events = [
      seen('wss://a.example'),
      seen('wss://a.example/'),
      seen('pubkey'),
      seen('wss://b.example', 30_023),
    ];
    expect(monitoredRelays(events)).toEqual(['wss://a.example/']);
  });
});

it('relays in use are those that two authors or more name, the most named ones first', () => {
  const lists = [
    list(1, ['r', 'wss://two.example'], ['r', 'wss://three.example'], ['r', 'wss://one.example']),
    list(2, ['r', 'wss://three.example', 'read'], ['r', 'wss://TWO.example/', 'write']),
    list(3, ['r', 'wss://three.example'], ['r', 'ws://plain.example'], ['p', 'wss://one.example']),
    list(4, ['r', 'ws://plain.example'], ['r', 'wss://many.example'], ['r', 'wss://many.example']),
  ];
  expect(relaysInUse(lists)).toEqual(['wss://three.example/', 'wss://two.example/']);
});
