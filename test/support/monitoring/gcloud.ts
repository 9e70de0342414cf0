/** What a command needs, and what else we give it. */
interface Known {
  readonly needs?: readonly string[];
  readonly flags?: readonly string[];
}

/** Every command of gcloud takes these. */
const EVERYWHERE = ['--format'];
const REGION = ['--region'];
const LOCATION = ['--location'];

/**
 * The commands of gcloud that our documents may name, looked up in Google's reference
 * (https://docs.cloud.google.com/sdk/gcloud/reference/): whoever adds one looks it up there.
 */
const GCLOUD: Readonly<Record<string, Known>> = {
  'certificate-manager certificates list': {},
  'compute ssl-certificates list': {},
  'logging read': { flags: ['--freshness', '--limit'] },
  'pubsub subscriptions describe': {},
  'pubsub topics describe': {},
  'pubsub topics get-iam-policy': {},
  'run revisions list': { needs: REGION, flags: ['--service'] },
  'run services describe': { needs: REGION },
  'run services list': { needs: REGION },
  'run services update': {
    needs: REGION,
    flags: ['--concurrency', '--max-instances', '--memory', '--update-labels'],
  },
  'run services update-traffic': { needs: REGION, flags: ['--to-revisions'] },
  'scheduler jobs describe': { needs: LOCATION },
  'scheduler jobs list': { needs: LOCATION },
  'scheduler jobs resume': { needs: LOCATION },
  'scheduler jobs run': { needs: LOCATION },
  'sql instances describe': {},
  'sql instances patch': {
    flags: ['--cpu', '--enable-database-replication', '--memory', '--storage-auto-increase'],
  },
  'sql instances restart': {},
  'sql operations list': { flags: ['--instance'] },
  'storage buckets describe': {},
  'storage buckets get-iam-policy': {},
};

/** What is wrong with a command that begins with `gcloud `. */
export function gcloudFaults(command: string): string[] {
  const plain = command.replace(/'[^']*'|"[^"]*"/g, 'TEXT').slice('gcloud '.length);
  const name = Object.keys(GCLOUD).find((each) => plain === each || plain.startsWith(`${each} `));
  if (name === undefined) return [`no command that was looked up: ${command}`];
  const { needs = [], flags = [] } = GCLOUD[name]!;
  const given = [...plain.matchAll(/(?<= )--[a-z-]+/g)].map(([flag]) => flag);
  return [
    ...needs.filter((flag) => !given.includes(flag)).map((flag) => `without ${flag}: ${command}`),
    ...given
      .filter((flag) => ![...needs, ...flags, ...EVERYWHERE].includes(flag))
      .map((flag) => `${flag} was not looked up: ${command}`),
  ];
}

/** A flag that a document names alone. */
export const isKnownFlag = (flag: string): boolean =>
  Object.values(GCLOUD).some(({ flags }) => flags?.includes(flag));
