import { z } from 'zod';

/**
 * How services read their environment: a zod object of variables, parsed once at start by a pure
 * function that reports every mistake together. Each variable's description says what is allowed,
 * so that a report and a table of variables come from the same place.
 */

/** The configuration, or all that is wrong with it: one line a variable. */
export type ConfigurationResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

/** Pub/Sub's own limit on a message and on a publish request: 10 MB. */
export const PUBSUB_MESSAGE_BYTES_MAX = 10_000_000;

/**
 * Largest event size that may be configured. The message that reports an event's fate carries its
 * text and, for a deletion, a line for each event that it removed: a tag of 71 bytes or more makes
 * a line of about 95 bytes. So a message can reach 2.4 times the event, and must fit 10 MB.
 */
export const EVENT_BYTES_CEILING = 4_000_000;

/** A variable that holds a whole number. */
export const wholeNumber = (min: number, max: number, fallback: number) =>
  z
    .string()
    .regex(/^[0-9]{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .default(fallback)
    .describe(`a whole number from ${min} to ${max}`);

/** A variable that takes one of a few words. */
export const oneOf = <const T extends readonly [string, ...string[]]>(
  words: T,
  fallback: T[number],
) =>
  z
    .enum(words)
    .default(fallback)
    .describe(`one of ${words.join(', ')}`);

/** A variable that holds a share of a whole. */
const share = (fallback: number) =>
  z
    .string()
    .regex(/^(0|1|0?\.[0-9]{1,9}|1\.0+)$/)
    .transform(Number)
    .default(fallback)
    .describe('a number from 0 to 1');

/** Names of topics and subscriptions, as Pub/Sub wants them. */
const PUBSUB_NAME = /^(?!goog)[A-Za-z][A-Za-z0-9._~%+-]{2,254}$/;
const pubsubName = (fallback: string) =>
  z
    .string()
    .regex(PUBSUB_NAME)
    .default(fallback)
    .describe('a Pub/Sub name: 3 to 255 characters, a letter first, not beginning with goog');

/** The shape of a configuration's variables that reach PostgreSQL. See `postgresFault`. */
export const postgresVariables = {
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/)
    .optional()
    .describe('postgresql://user@host:port/database'),
  INSTANCE_CONNECTION_NAME: z
    .string()
    .regex(/^[^:\s]+(:[^:\s]+)?:[^:\s]+:[^:\s]+$/)
    .optional()
    .describe('project:region:instance of Cloud SQL'),
  DATABASE_NAME: z.string().optional().describe('the name of a database'),
  DATABASE_USER: z
    .string()
    .optional()
    .describe('a service account without .gserviceaccount.com (IAM login)'),
  SQL_ADMIN_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('where the SQL Admin API is, if not at sqladmin.googleapis.com: a private endpoint'),
  DATABASE_IP_TYPE: oneOf(['PRIVATE', 'PUBLIC', 'PSC'], 'PRIVATE'),
  DATABASE_POOL_MAX: wholeNumber(1, 100, 4),
  DATABASE_STATEMENT_TIMEOUT_MS: wholeNumber(100, 600_000, 10_000),
};

/**
 * The same for a second pool that only reads, from a replica of that database; without one of the
 * first two there is none. Login, database and way are those of the primary. See `replicaFault`.
 */
export const replicaVariables = {
  REPLICA_DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/)
    .optional()
    .describe('postgresql://user@host:port/database of a read replica'),
  REPLICA_INSTANCE_CONNECTION_NAME: z
    .string()
    .regex(/^[^:\s]+(:[^:\s]+)?:[^:\s]+:[^:\s]+$/)
    .optional()
    .describe('project:region:instance of a read replica or read pool of Cloud SQL'),
  REPLICA_POOL_MAX: wholeNumber(1, 100, 4),
};

/** The shape of a configuration's variables that reach Pub/Sub. */
export const pubsubVariables = {
  GOOGLE_CLOUD_PROJECT: z
    .string()
    .regex(/^[a-z][a-z0-9.:-]{3,62}$/)
    .describe('the id of a Google Cloud project'),
  PUBSUB_EMULATOR_HOST: z
    .string()
    .regex(/^[^\s/]+:[0-9]{1,5}$/)
    .optional()
    .describe('host:port of a local Pub/Sub'),
  TOPIC_INCOMING: pubsubName('incoming'),
  TOPIC_STORED: pubsubName('stored'),
  TOPIC_INCOMING_DEAD: pubsubName('incoming-dead'),
  TOPIC_FETCH: pubsubName('fetch'),
};

/** The shape of a configuration's variables about logs. */
export const logVariables = {
  LOG_LEVEL: oneOf(['debug', 'info', 'warning', 'error'], 'info'),
  LOG_FORMAT: oneOf(['json', 'pretty'], 'json'),
  LOG_TRACE_SAMPLE: share(0.001).describe(
    'share of the events of which each step is logged: 0 to 1 (failures always are)',
  ),
  K_SERVICE: z.string().optional().describe('set by Cloud Run: the name of the service'),
  K_REVISION: z.string().optional().describe('set by Cloud Run: the name of the revision'),
};

/** Limits that the relay and store must agree on; all of the system takes one value. */
export const eventVariables = {
  EVENT_BYTES_MAX: wholeNumber(1_024, EVENT_BYTES_CEILING, 262_144).describe(
    `a whole number from 1024 to ${EVENT_BYTES_CEILING} (Pub/Sub carries messages up to 10 MB)`,
  ),
};

export type PostgresConfiguration = z.infer<z.ZodObject<typeof postgresVariables>>;
export type ReplicaConfiguration = z.infer<z.ZodObject<typeof replicaVariables>>;
export type PubSubConfiguration = z.infer<z.ZodObject<typeof pubsubVariables>>;
export type LogConfiguration = z.infer<z.ZodObject<typeof logVariables>>;

/** The configuration of the pool to the replica; undefined where there is none. */
export function replicaOf(
  configuration: PostgresConfiguration & ReplicaConfiguration,
): PostgresConfiguration | undefined {
  const { REPLICA_DATABASE_URL, REPLICA_INSTANCE_CONNECTION_NAME } = configuration;
  if (REPLICA_DATABASE_URL === undefined && REPLICA_INSTANCE_CONNECTION_NAME === undefined) {
    return undefined;
  }
  return {
    ...configuration,
    DATABASE_URL: REPLICA_DATABASE_URL,
    INSTANCE_CONNECTION_NAME: REPLICA_INSTANCE_CONNECTION_NAME,
    DATABASE_POOL_MAX: configuration.REPLICA_POOL_MAX,
  };
}

/**
 * Parses the environment by a service's schema. Every mistake comes out at once, one line each:
 * `VARIABLE: given "x", allowed …`. A variable that is set but empty counts as not set. Values
 * that may hold a secret are not repeated.
 */
export function parseConfiguration<T extends z.ZodType>(
  schema: T,
  env: Readonly<Record<string, string | undefined>>,
): ConfigurationResult<z.infer<T>> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  const faults = new Map<string, string>();
  for (const issue of parsed.success ? [] : parsed.error.issues) {
    const name = String(issue.path[0] ?? 'configuration');
    if (!faults.has(name)) faults.set(name, faultLine(name, given[name], schema, issue));
  }
  const between = [
    wants(schema, 'DATABASE_URL') ? postgresFault(given) : undefined,
    wants(schema, 'REPLICA_DATABASE_URL') ? replicaFault(given) : undefined,
  ];
  for (const fault of between) {
    if (fault !== undefined && !faults.has(fault.name)) faults.set(fault.name, fault.line);
  }
  if (faults.size > 0 || !parsed.success) {
    return { ok: false, reason: [...faults.values()].join('\n') };
  }
  return { ok: true, value: parsed.data };
}

const SECRET = /(_URL|_SECRET|_KEY|_PASSWORD|_TOKEN)$/;

function faultLine(
  name: string,
  value: string | undefined,
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
): string {
  const allowed = describedIn(schema, name) ?? issue.message;
  if (value === undefined) return `${name}: not set, allowed ${allowed}`;
  const shown = SECRET.test(name) ? 'a value not shown here' : JSON.stringify(value.slice(0, 100));
  // A rule of the whole object (issue.code custom) explains more than the variable's own range.
  return `${name}: given ${shown}, allowed ${issue.code === 'custom' ? issue.message : allowed}`;
}

function describedIn(schema: z.ZodType, name: string): string | undefined {
  if (!(schema instanceof z.ZodObject)) return undefined;
  const field: unknown = schema.shape[name];
  return field instanceof z.ZodType ? field.description : undefined;
}

const wants = (schema: z.ZodType, name: string): boolean =>
  schema instanceof z.ZodObject && name in schema.shape;

type Given = Readonly<Record<string, string | undefined>>;
type Fault = { readonly name: string; readonly line: string };

/**
 * The rule between variables: either a URL, or a Cloud SQL instance with database and user. It is
 * no refinement of the schema, since zod skips those as soon as one variable alone is wrong.
 */
function postgresFault(given: Given): Fault | undefined {
  const { DATABASE_URL, INSTANCE_CONNECTION_NAME } = given;
  const url = DATABASE_URL !== undefined;
  const instance = INSTANCE_CONNECTION_NAME !== undefined;
  if (url && instance) {
    const line = 'INSTANCE_CONNECTION_NAME: given beside DATABASE_URL, allowed one of the two';
    return { name: 'INSTANCE_CONNECTION_NAME', line };
  }
  if (!url && !instance) {
    const line =
      'DATABASE_URL: not set, allowed postgresql://user@host:port/database, ' +
      'or INSTANCE_CONNECTION_NAME with DATABASE_NAME and DATABASE_USER';
    return { name: 'DATABASE_URL', line };
  }
  for (const name of instance ? ['DATABASE_NAME', 'DATABASE_USER'] : []) {
    if (given[name] === undefined) {
      return { name, line: `${name}: not set, needed with INSTANCE_CONNECTION_NAME` };
    }
  }
  return undefined;
}

/** A replica is reached as its primary is, whose login it takes. */
function replicaFault(given: Given): Fault | undefined {
  const name = 'REPLICA_INSTANCE_CONNECTION_NAME';
  if (given[name] === undefined) return undefined;
  if (given['REPLICA_DATABASE_URL'] !== undefined) {
    return { name, line: `${name}: given beside REPLICA_DATABASE_URL, allowed one of the two` };
  }
  if (given['INSTANCE_CONNECTION_NAME'] !== undefined) return undefined;
  return { name, line: `${name}: given, allowed only with INSTANCE_CONNECTION_NAME` };
}
