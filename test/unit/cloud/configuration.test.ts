import { z } from 'zod';
import {
  EVENT_BYTES_CEILING,
  eventVariables,
  logVariables,
  PUBSUB_MESSAGE_BYTES_MAX,
  parseConfiguration,
  postgresVariables,
  pubsubVariables,
} from '../../../functions/cloud/configuration.ts';

const schema = z.object({
  ...postgresVariables,
  ...pubsubVariables,
  ...logVariables,
  ...eventVariables,
  SIGNING_KEY: z.string().length(64).optional().describe('64 hex characters'),
});

const SOUND = { DATABASE_URL: 'postgres://u@h/d', GOOGLE_CLOUD_PROJECT: 'project-1' };

const faultsOf = (env: Record<string, string>): string[] => {
  const parsed = parseConfiguration(schema, env);
  return parsed.ok ? [] : parsed.reason.split('\n');
};

const ofVariable = (env: Record<string, string>, name: string): string | undefined =>
  faultsOf(env).find((line) => line.startsWith(`${name}:`));

describe('parseConfiguration', () => {
  it('fills in defaults and leaves out what is not set', () => {
    const parsed = parseConfiguration(schema, SOUND);
    expect(parsed).toEqual({
      ok: true,
      value: {
        ...SOUND,
        DATABASE_IP_TYPE: 'PRIVATE',
        DATABASE_POOL_MAX: 4,
        DATABASE_STATEMENT_TIMEOUT_MS: 10_000,
        EVENT_BYTES_MAX: 262_144,
        LOG_FORMAT: 'json',
        LOG_LEVEL: 'info',
        LOG_TRACE_SAMPLE: 0.001,
        TOPIC_FETCH: 'fetch',
        TOPIC_INCOMING: 'incoming',
        TOPIC_INCOMING_DEAD: 'incoming-dead',
        TOPIC_STORED: 'stored',
      },
    });
  });

  it('reports all mistakes together, one line a variable, with what was given and is allowed', () => {
    const env = {
      DATABASE_URL: 'postgres://u@h/d',
      DATABASE_POOL_MAX: '0',
      LOG_LEVEL: 'loud',
      TOPIC_STORED: 'google',
    };
    expect(faultsOf(env).sort()).toEqual([
      'DATABASE_POOL_MAX: given "0", allowed a whole number from 1 to 100',
      'GOOGLE_CLOUD_PROJECT: not set, allowed the id of a Google Cloud project',
      'LOG_LEVEL: given "loud", allowed one of debug, info, warning, error',
      'TOPIC_STORED: given "google", allowed a Pub/Sub name: 3 to 255 characters, ' +
        'a letter first, not beginning with goog',
    ]);
  });

  it('never repeats a value that may hold a secret', () => {
    const env = {
      DATABASE_URL: 'mysql://user:s3cret@host/db',
      GOOGLE_CLOUD_PROJECT: 'project-1',
      SIGNING_KEY: 's3cret',
    };
    const faults = faultsOf(env);
    expect(faults).toHaveLength(2);
    expect(faults.join()).not.toContain('s3cret');
  });

  it('treats an empty variable as one that is not set', () => {
    expect(parseConfiguration(schema, { ...SOUND, LOG_LEVEL: '' })).toMatchObject({
      ok: true,
      value: { LOG_LEVEL: 'info' },
    });
    expect(ofVariable({ ...SOUND, GOOGLE_CLOUD_PROJECT: '' }, 'GOOGLE_CLOUD_PROJECT')).toMatch(
      'not set',
    );
  });

  it.each(['1.5', '1e3', ' 5', '-1', '0x10', 'NaN', '5000000000000000000000'])(
    'refuses %j as a whole number',
    (value) => {
      expect(ofVariable({ ...SOUND, DATABASE_POOL_MAX: value }, 'DATABASE_POOL_MAX')).toBeDefined();
    },
  );

  it('refuses an event size that cannot fit a message of Pub/Sub', () => {
    const asked = (bytes: number) =>
      ofVariable({ ...SOUND, EVENT_BYTES_MAX: String(bytes) }, 'EVENT_BYTES_MAX');
    expect(asked(PUBSUB_MESSAGE_BYTES_MAX)).toMatch('10 MB');
    expect(asked(EVENT_BYTES_CEILING + 1)).toMatch('10 MB');
    expect(asked(EVENT_BYTES_CEILING)).toBeUndefined();
  });

  it('leaves room for the outcome of the largest deletion', () => {
    const tag = `["e","${'a'.repeat(64)}"],`;
    const removed = JSON.stringify({ id: 'a'.repeat(64), seq: Number.MAX_SAFE_INTEGER });
    const tags = Math.floor(EVENT_BYTES_CEILING / tag.length);
    const message = EVENT_BYTES_CEILING + tags * (removed.length + 1) + 1_000;
    expect(message).toBeLessThan(PUBSUB_MESSAGE_BYTES_MAX);
  });

  describe('of the database', () => {
    const project = { GOOGLE_CLOUD_PROJECT: 'project-1' };

    it('wants a URL or an instance, and says so beside other mistakes', () => {
      const faults = faultsOf({ LOG_LEVEL: 'loud' });
      expect(faults.map((line) => line.split(':')[0]).sort()).toEqual([
        'DATABASE_URL',
        'GOOGLE_CLOUD_PROJECT',
        'LOG_LEVEL',
      ]);
    });

    it('refuses a URL and an instance together', () => {
      const env = { ...SOUND, INSTANCE_CONNECTION_NAME: 'p:r:i' };
      expect(ofVariable(env, 'INSTANCE_CONNECTION_NAME')).toMatch('one of the two');
    });

    it('wants a database and a user with an instance', () => {
      const env = { ...project, INSTANCE_CONNECTION_NAME: 'p:r:i' };
      expect(ofVariable(env, 'DATABASE_NAME')).toMatch('needed with INSTANCE_CONNECTION_NAME');
      const whole = { ...env, DATABASE_NAME: 'nostr', DATABASE_USER: 'store@p.iam' };
      expect(faultsOf(whole)).toEqual([]);
    });
  });
});
