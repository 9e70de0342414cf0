import { join } from 'node:path';
import {
  COMPUTED,
  globalsIn,
  importsIn,
  packagesIn,
  type Rooms,
  roomFaults,
  sourceFiles,
  sourceOf,
} from '../support/imports.ts';

/** The rooms of the house and what each may import. Services never import each other. */
const ROOMS: Rooms = {
  nostr: [],
  policy: ['nostr-tools/nip13', 'nostr'],
  cloud: [],
  database: ['nostr', 'cloud'],
  upstream: ['nostr'],
  relay: ['nostr', 'policy', 'database', 'cloud'],
  store: ['nostr', 'policy', 'database', 'cloud'],
  fetch: ['nostr', 'policy', 'database', 'cloud', 'upstream'],
  upkeep: ['nostr', 'database', 'cloud', 'upstream'],
  probe: ['nostr', 'cloud', 'upstream'],
  command: ['upstream'],
  client: ['nostr', 'upstream', 'command'],
  operate: ['nostr', 'database', 'cloud', 'upstream', 'command'],
  local: [
    'nostr',
    'policy',
    'cloud',
    'database',
    'upstream',
    'relay',
    'store',
    'fetch',
    'upkeep',
    'probe',
    'command',
    'client',
    'operate',
  ],
};

/** What the pure rooms may use of the world: hashing, and finding the verifiers' libraries. */
const PURE: Readonly<Record<string, readonly string[]>> = {
  nostr: [
    'node:crypto',
    'node:fs/promises',
    'node:module',
    'node:path',
    'nostr-tools/pure',
    'bcrypto/lib/native/schnorr-libsecp256k1.js',
  ],
  policy: ['nostr-tools/nip13', 'zod'],
};

/** Clock, chance, environment, network: what makes an answer depend on more than the question. */
const IMPURE = new Set([
  'process',
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'fetch',
  'WebSocket',
]);

/** The starter loads the room that the command belongs to; the local database's package is named by platform. */
const COMPUTED_ALLOWED = ['functions/client/distrise.js', 'functions/local/cluster.ts'];

const ROOT = join(import.meta.dirname, '..', '..');
const files = sourceFiles(ROOT, 'functions');
const filesOf = (room: string) => files.filter((path) => path.startsWith(`functions/${room}/`));

describe('the rooms', () => {
  it('are imported only as the design allows', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(files.flatMap((path) => roomFaults(path, sourceOf(ROOT, path), ROOMS))).toEqual([]);
  });

  it('import by computed names only where that is known to be harmless', () => {
    const computed = files.filter((path) => importsIn(sourceOf(ROOT, path)).includes(COMPUTED));
    expect(computed.filter((path) => !COMPUTED_ALLOWED.includes(path))).toEqual([]);
  });

  it.each(Object.keys(PURE))('%s needs nothing of the world', (room) => {
    const paths = filesOf(room);
    expect(paths.length).toBeGreaterThan(3);
    const used = paths.flatMap((path) => packagesIn(sourceOf(ROOT, path)));
    expect(used.filter((name) => !PURE[room]?.includes(name))).toEqual([]);
    expect(paths.flatMap((path) => globalsIn(sourceOf(ROOT, path), IMPURE))).toEqual([]);
  });

  it('leave PostgreSQL to those that connect, migrate, read and write', () => {
    const strangers = files.filter((path) => !/^functions\/(database|cloud|local)\//.test(path));
    const used = strangers.filter((path) =>
      packagesIn(sourceOf(ROOT, path)).some((name) => /^(pg|node-pg-migrate)\b/.test(name)),
    );
    expect(used).toEqual([]);
  });
});

describe('the walk over imports', () => {
  it('finds every way to name a module', () => {
    const source = `
      import a from './a.ts';
      import type { B } from './b.ts';
      import './c.ts';
      export { d } from './d.ts';
      export * from './e.ts';
      export type { F } from './f.ts';
      const g = await import('./g.ts' as string);
      await import('./i.ts');
      type H = import('./h.ts').H;
      // import './comment.ts';
      const text = "import './text.ts'";
    `;
    const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
    expect(importsIn(source).sort()).toEqual(letters.map((letter) => `./${letter}.ts`));
  });

  it.each([
    ['functions/nostr/event.ts', '../cloud/log.ts', 'nostr may not import cloud'],
    ['functions/cloud/log.ts', '../nostr/event.ts', 'cloud may not import nostr'],
    ['functions/relay/main.ts', '../store/function.ts', 'relay may not import store'],
    ['functions/store/deep/x.ts', '../../relay/engine.ts', 'store may not import relay'],
    ['functions/relay/main.ts', '../local/main.ts', 'relay may not import local'],
    ['functions/relay/main.ts', '../../test/support/until.ts', 'leaves functions/'],
    ['functions/cellar/x.ts', './y.ts', 'is in no room'],
    ['functions/loose.ts', './y.ts', 'is in no room'],
  ])('tells that %s must not import %s', (path, name, fault) => {
    expect(roomFaults(path, `import '${name}';`, ROOMS)).toEqual([expect.stringContaining(fault)]);
  });

  it('marks an import by a computed name, which nobody can follow', () => {
    expect(importsIn('const name = "../cloud/log.ts"; await import(name);')).toEqual([COMPUTED]);
  });

  it('allows what the table allows', () => {
    for (const name of ['./page.ts', '../nostr/event.ts', 'ws', 'node:http']) {
      expect(roomFaults('functions/relay/main.ts', `import '${name}';`, ROOMS)).toEqual([]);
    }
  });

  it('sees clock and environment where they are used, not where they are spoken of', () => {
    const source = `
      // Date.now() would be wrong
      const spoken = 'process.env'; const event = { fetch: 1 }; event.fetch;
      const used = [Date.now(), process.env['X']]; setTimeout(() => new Date(), 1);
    `;
    expect(globalsIn(source, IMPURE).sort()).toEqual(['Date', 'process', 'setTimeout']);
  });
});
