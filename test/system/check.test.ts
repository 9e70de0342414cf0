import { FrontDoor } from '../support/front-door.ts';
import { publicKeyOf, secretKeyOf } from '../support/keys.ts';
import { runClient } from '../support/run-client.ts';
import { useSystem } from '../support/system.ts';

const secret = secretKeyOf('listed');
const key = { DISTRISE_SECRET_KEY: Buffer.from(secret).toString('hex') };

const system = useSystem({
  relays: 2,
  env: { RELAY_KEYS_ALLOWED: publicKeyOf(secret), RELAY_KINDS_ALLOWED: '0,1,5,30000-39999' },
});
const portOf = (url: string | undefined) => Number(new URL(url ?? '').port);
const lines = (stdout: string, sign: string) =>
  stdout.split('\n').filter((line) => line.startsWith(sign));

describe('distrise check at a relay with lists of writers and kinds', () => {
  it('does all that it can where its key is not on the list, and says what it left out', async () => {
    const { code, stdout } = await runClient(['check', '--timeout', '5', system().urls[0] ?? '']);
    expect({ code, failed: lines(stdout, 'FAILED') }).toEqual({ code: 0, failed: [] });
    expect(stdout).toMatch(/^- {5} takes an event: .*restricted: .*written as [0-9a-f]{64}/m);
    expect(lines(stdout, 'ok')).toHaveLength(9);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(
      /^NOT TRIED: writing \(its rules: .*restricted/,
    );
  });

  it('publishes a kind that is taken, and so leaves nothing out, where its key is listed', async () => {
    const { code, stdout } = await runClient(['check', '--timeout', '5', system().urls[0] ?? ''], {
      env: key,
    });
    expect({ code, failed: lines(stdout, 'FAILED') }).toEqual({ code: 0, failed: [] });
    expect(stdout).toMatch(/^ok {5}deletes it, and it is gone/m);
    // Nothing but the second instance, which this address does not lead to.
    expect(lines(stdout, '-')).toEqual([
      expect.stringMatching(/across two instances: only \w{8} answered on 9 connections$/),
    ]);
  });

  it('does all of it across two instances where one address leads to both', async () => {
    const [first, second] = system().urls;
    const door = await FrontDoor.open(portOf(first));
    door.alsoTo = [portOf(second)];
    const { code, stdout } = await runClient(['check', '--timeout', '5', door.url], { env: key });
    door.close();
    expect({ code, failed: lines(stdout, 'FAILED') }).toEqual({ code: 0, failed: [] });
    const [, one, other] =
      /^ok {5}does so across two instances: (\w+) and (\w+)$/m.exec(stdout) ?? [];
    expect(one).toMatch(/^\w{8}$/);
    expect(other).not.toBe(one);
  });
});
