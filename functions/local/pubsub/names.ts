import { invalidArgument } from './status.ts';

/** What a subscription shows as its topic once the topic is gone. */
export const DELETED_TOPIC = '_deleted-topic_';

/** Google's rule: a letter, then letters, digits and `-._~+%`, 3 to 255 in all, not "goog…". */
const ID = /^(?!goog)[A-Za-z][A-Za-z0-9\-._~+%]{2,254}$/;

type Collection = 'topics' | 'subscriptions';

/** The parts of `projects/{project}/{collection}/{id}`. */
export interface ResourceName {
  readonly project: string;
  readonly id: string;
}

function parse(name: string, collection: Collection): ResourceName | undefined {
  const [projects, project, kind, id, ...rest] = name.split('/');
  if (projects !== 'projects' || kind !== collection || rest.length > 0) return undefined;
  if (project === undefined || project === '' || id === undefined || !ID.test(id)) return undefined;
  return { project, id };
}

/** Takes a full name apart; throws INVALID_ARGUMENT with Google's words. */
export function parseName(name: string, collection: Collection): ResourceName {
  const parsed = parse(name, collection);
  if (parsed !== undefined) return parsed;
  throw invalidArgument(
    `Invalid resource name given (name=${name}). Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.`,
  );
}

/** The beginning that all names of a project's collection share; `project` is `projects/{id}`. */
export function collectionPrefix(project: string, collection: Collection): string {
  if (!/^projects\/[^/]+$/.test(project)) {
    throw invalidArgument(`Invalid resource name given (name=${project}).`);
  }
  return `${project}/${collection}/`;
}
