import { replicaOf } from '../../../functions/cloud/configuration.ts';
import { parseRelayConfiguration, relayVariables } from '../../../functions/relay/configuration.ts';

const NEEDED = {
  DATABASE_URL: 'postgresql://relay@localhost:5432/distrise',
  GOOGLE_CLOUD_PROJECT: 'test-project',
};

/** What is wrong with the variables, one line each. */
function faults(variables: Record<string, string>): readonly string[] {
  const parsed = parseRelayConfiguration({ ...NEEDED, ...variables });
  return parsed.ok ? [] : parsed.reason.split('\n');
}

function parse(variables: Record<string, string> = {}) {
  const parsed = parseRelayConfiguration({ ...NEEDED, ...variables });
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

describe("the relay's configuration", () => {
  it('needs a database and a project, and nothing else', () => {
    expect(parse()).toMatchObject({ RELAY_NAME: 'Distrise', PORT: 8080, LIMIT_MAX: 1_000 });
    const parsed = parseRelayConfiguration({});
    expect(parsed.ok ? '' : parsed.reason).toMatch(/DATABASE_URL: not set.*\n?/);
    expect(parsed.ok ? '' : parsed.reason).toMatch(/GOOGLE_CLOUD_PROJECT: not set/);
  });

  it('reports every mistake at once, with what was given and what is allowed', () => {
    const lines = faults({
      PORT: 'http',
      RELAY_FILTERS_MAX: '0',
      RELAY_PUBKEY: 'npub1',
      RELAY_RATE_LIMITS: 'maybe',
      LIMIT_DEFAULT: '2000',
      RELAY_KINDS_DENIED: '1-x',
    });
    const names = ['PORT', 'RELAY_FILTERS_MAX', 'RELAY_PUBKEY', 'RELAY_RATE_LIMITS'];
    for (const name of [...names, 'LIMIT_MAX', 'RELAY_KINDS_DENIED']) {
      expect(lines.filter((line) => line.startsWith(`${name}: given `))).toHaveLength(1);
    }
    expect(lines).toHaveLength(6);
    expect(lines).toContain('RELAY_FILTERS_MAX: given "0", allowed filters of one REQ: 1 to 1000');
  });

  it('has no replica unless one is named, and takes the login of the primary for it', () => {
    expect(replicaOf(parse())).toBeUndefined();
    const url = parse({ REPLICA_DATABASE_URL: 'postgres://replica/d', REPLICA_POOL_MAX: '7' });
    expect(replicaOf(url)).toMatchObject({
      DATABASE_URL: 'postgres://replica/d',
      DATABASE_POOL_MAX: 7,
    });
    const cloud = parse({
      DATABASE_URL: '',
      INSTANCE_CONNECTION_NAME: 'p:r:i',
      DATABASE_NAME: 'd',
      DATABASE_USER: 'u',
      REPLICA_INSTANCE_CONNECTION_NAME: 'p:r:replica',
    });
    expect(replicaOf(cloud)).toMatchObject({
      DATABASE_URL: undefined,
      INSTANCE_CONNECTION_NAME: 'p:r:replica',
      DATABASE_USER: 'u',
    });
  });

  it.each<[string, Record<string, string>, string]>([
    [
      'a replica of an instance beside a primary by URL',
      { REPLICA_INSTANCE_CONNECTION_NAME: 'p:r:i' },
      'REPLICA_INSTANCE_CONNECTION_NAME: given, allowed only with INSTANCE_CONNECTION_NAME',
    ],
    [
      'a replica given twice',
      {
        REPLICA_INSTANCE_CONNECTION_NAME: 'p:r:i',
        REPLICA_DATABASE_URL: 'postgres://replica/d',
      },
      'REPLICA_INSTANCE_CONNECTION_NAME: given beside REPLICA_DATABASE_URL, allowed one of the two',
    ],
    [
      'an event that fits no message',
      { EVENT_BYTES_MAX: '300000' },
      'RELAY_MESSAGE_BYTES_MAX: given "262400", allowed EVENT_BYTES_MAX + 10 = 300010 or more',
    ],
    [
      'a default above the maximum',
      { LIMIT_MAX: '100' },
      'LIMIT_MAX: given "100", allowed LIMIT_DEFAULT = 500 or more',
    ],
    [
      'an answer larger than what may wait for all',
      { RELAY_SEND_TOTAL_BYTES_MAX: '2000000' },
      'RELAY_SEND_TOTAL_BYTES_MAX: given "2000000", allowed RELAY_ANSWER_BYTES_MAX = 67108864 or more',
    ],
  ])('refuses %s', (_, variables, line) => {
    expect(faults(variables)).toEqual([line]);
  });

  it('refuses an event size that cannot pass Pub/Sub', () => {
    const [line] = faults({ EVENT_BYTES_MAX: '9000000', RELAY_MESSAGE_BYTES_MAX: '9100000' });
    expect(line).toMatch(/^EVENT_BYTES_MAX: given "9000000"/);
  });

  it('knows that Cloud Run has one proxy in front and ends sockets after an hour', () => {
    const { RELAY_TRUSTED_PROXIES, RELAY_CONNECTION_MINUTES } = parse({ K_SERVICE: 'relay' });
    expect([RELAY_TRUSTED_PROXIES, RELAY_CONNECTION_MINUTES]).toEqual([1, 58]);
    expect(parse().RELAY_TRUSTED_PROXIES).toBe(0);
    const behindBalancer = parse({ K_SERVICE: 'relay', RELAY_TRUSTED_PROXIES: '2' });
    expect(behindBalancer.RELAY_TRUSTED_PROXIES).toBe(2);
  });

  it('takes lists of keys and kinds', () => {
    const { RELAY_KEYS_DENIED, RELAY_KINDS_ALLOWED } = parse({
      RELAY_KEYS_DENIED: `${'a'.repeat(64)}, ${'b'.repeat(64)}`,
      RELAY_KINDS_ALLOWED: '0,30000-39999',
    });
    expect(RELAY_KEYS_DENIED).toEqual(new Set(['a'.repeat(64), 'b'.repeat(64)]));
    expect(RELAY_KINDS_ALLOWED).toEqual([
      { first: 0, last: 0 },
      { first: 30_000, last: 39_999 },
    ]);
  });

  it('describes every variable, for the table of the README', () => {
    for (const [name, schema] of Object.entries(relayVariables)) {
      expect(`${name}: ${schema.description ?? ''}`).toMatch(/: .{5,}/);
    }
  });
});
