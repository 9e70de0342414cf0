import type { Body, Json, Terraform } from './read.ts';
import { expressionOf } from './strings.ts';

/** A process as Terraform starts it. */
export interface Started {
  readonly name: string;
  /** Arguments of `node`. */
  readonly arguments: readonly string[];
  /** What it finds in its environment: the value's text, or undefined where a secret gives it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Every service, job and worker that infra/ starts, with its environment. */
export function startedBy(terraform: Terraform): Started[] {
  const service = terraform.resource['google_cloud_run_v2_service']?.['relay'] ?? {};
  const job = terraform.resource['google_cloud_run_v2_job']?.['migrate'] ?? {};
  const worker = terraform.resource['google_cloud_run_v2_worker_pool']?.['follow'] ?? {};
  const functions = Object.entries(terraform.locals['functions'] as Body).map(
    ([name, value]): Started => {
      const { arguments: given, environment, secrets } = value as Body;
      return {
        name,
        arguments: textsOf(given, terraform),
        environment: {
          ...merged(environment, terraform),
          ...Object.fromEntries(Object.keys(secrets as Body).map((key) => [key, undefined])),
        },
      };
    },
  );
  return [
    ofContainer('relay', inner(service, 'template', 'containers'), terraform),
    ...functions,
    ofContainer('migrate', inner(job, 'template', 'template', 'containers'), terraform),
    ofContainer('follow', inner(worker, 'template', 'containers'), terraform),
  ];
}

function ofContainer(name: string, container: Body, terraform: Terraform): Started {
  const [env] = (container['dynamic'] as Body)['env'] as readonly Body[];
  return {
    name,
    arguments: textsOf(container['args'], terraform),
    environment: merged(env?.['for_each'], terraform),
  };
}

/** `merge(local.a, local.b, var.c)`: what the locals say; variables are the operator's own. */
function merged(value: Json | undefined, { locals }: Terraform): Record<string, string> {
  const call = /^merge\(([\s\S]*)\)$/.exec(expressionOf(value) ?? '')?.[1];
  if (call === undefined) throw new Error(`not a call of merge: ${JSON.stringify(value)}`);
  const all: Record<string, string> = {};
  for (const part of call.split(',').map((each) => each.trim())) {
    if (part === '' || part.startsWith('var.settings.')) continue;
    const local = locals[part.replace(/^local\./, '')];
    if (typeof local !== 'object') throw new Error(`${part} is no map of this file`);
    for (const [key, text] of Object.entries(local as Body)) all[key] = String(text);
  }
  return all;
}

const inner = (body: Body, ...path: string[]): Body =>
  path.reduce((at, name) => (at[name] as readonly Body[])[0] ?? {}, body);

/** A list of texts, in which a local stands for its text. */
const textsOf = (list: Json | undefined, { locals }: Terraform): string[] =>
  (list as readonly string[]).map((text) => {
    const local = /^local\.(\w+)$/.exec(expressionOf(text) ?? '')?.[1];
    return local === undefined ? text : String(locals[local]);
  });
