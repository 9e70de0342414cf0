import { npubEncode, nsecEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { parseProbeConfiguration } from '../../../functions/probe/configuration.ts';

const key = generateSecretKey();
const GIVEN = {
  GOOGLE_CLOUD_PROJECT: 'some-project',
  PROBE_URL: 'wss://relay.example',
  PROBE_SECRET_KEY: nsecEncode(key),
};

describe('the configuration of the probe', () => {
  it('takes keys as Nostr writes them', () => {
    const npub = npubEncode(getPublicKey(key));
    const parsed = parseProbeConfiguration({ ...GIVEN, PROBE_TELL: npub });
    expect(parsed).toMatchObject({
      ok: true,
      value: { PROBE_URL: 'wss://relay.example/', PROBE_TELL: getPublicKey(key) },
    });
    expect(parsed.ok && [...parsed.value.PROBE_SECRET_KEY]).toEqual([...key]);
  });

  it('names what is wrong, and never repeats a secret', () => {
    const parsed = parseProbeConfiguration({
      ...GIVEN,
      PROBE_SECRET_KEY: 'nsec1secret',
      PROBE_URL: 'https://relay.example',
      PROBE_TELL: 'somebody',
      PROBE_TELL_RELAYS: 'wss://a.example,nonsense',
    });
    expect(parsed.ok).toBe(false);
    const reason = parsed.ok ? '' : parsed.reason;
    for (const name of Object.keys(GIVEN).slice(1)) expect(reason).toContain(name);
    expect(reason).toContain('PROBE_TELL: given "somebody"');
    expect(reason).toContain('PROBE_TELL_RELAYS');
    expect(reason).not.toContain('nsec1secret');
  });
});
