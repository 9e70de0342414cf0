import type { Terraform } from './read.ts';
import type { ProviderSchema } from './schema.ts';
import { expressionOf, expressionsIn, stringsIn } from './strings.ts';

/** What every resource can be read as, beside its schema. */
const ALWAYS = new Set(['id']);
/** Attributes of Terraform's own type. */
const TERRAFORM_DATA = new Set(['id', 'input', 'output', 'triggers_replace']);

const REFERENCE =
  /(?<![\w.$])(?:var|local|data\.\w+|google_\w+|terraform_data)\.\w+(?:\[[^\]]*\])?(?:\.\w+)*/g;

/** References to what does not exist, and variables and locals that nobody refers to. */
export function referenceFaults(terraform: Terraform, schema: ProviderSchema): string[] {
  const { variable, locals, output, resource, data, provider, imports } = terraform;
  const everywhere = { variable, locals, output, resource, data, provider, imports };
  const references = new Set(
    expressionsIn(everywhere).flatMap((expression) => expression.match(REFERENCE) ?? []),
  );
  const faults = [...references].flatMap((reference) =>
    faultOf(reference, terraform, schema).map((fault) => `${reference}: ${fault}`),
  );
  const used = (kind: string) =>
    new Set(
      [...references]
        .filter((reference) => reference.startsWith(`${kind}.`))
        .map((reference) => /^\w+\.(\w+)/.exec(reference)?.[1] ?? ''),
    );
  for (const [kind, names] of [
    ['var', Object.keys(variable)],
    ['local', Object.keys(locals)],
  ] as const) {
    const known = used(kind);
    for (const name of names) {
      if (!known.has(name)) faults.push(`${kind}.${name}: nobody refers to it`);
    }
  }
  for (const [name, body] of Object.entries({ ...variable, ...output })) {
    if (body['description'] === undefined) faults.push(`${name}: has no description`);
  }
  return faults;
}

function faultOf(reference: string, terraform: Terraform, schema: ProviderSchema): string[] {
  const [kind = '', name = '', ...path] = reference.replaceAll(/\[[^\]]*\]/g, '').split('.');
  if (kind === 'var') return variableFault(name, path, terraform);
  if (kind === 'local') return name in terraform.locals ? [] : ['no such local'];
  if (kind === 'data') {
    const [label = '', attribute] = path;
    return instanceFault(terraform.data[name]?.[label], schema.data[name], attribute);
  }
  const body = terraform.resource[kind]?.[name];
  if (kind !== 'terraform_data') return instanceFault(body, schema.resources[kind], path[0]);
  if (body === undefined) return ['no such resource'];
  return path[0] === undefined || TERRAFORM_DATA.has(path[0]) ? [] : ['no such attribute'];
}

/** A variable of a type with attributes is read by those that it has. */
function variableFault(name: string, [attribute]: string[], { variable }: Terraform): string[] {
  const body = variable[name];
  if (body === undefined) return ['no such variable'];
  const type = expressionOf(body['type']) ?? String(body['type']);
  if (attribute === undefined || !type.includes('object(')) return [];
  return new RegExp(`(^|\\s)${attribute}\\s*=`).test(type) ? [] : ['no such attribute'];
}

function instanceFault(body: unknown, known: object | undefined, attribute?: string): string[] {
  if (body === undefined) return ['no such resource'];
  if (attribute === undefined || ALWAYS.has(attribute)) return [];
  return known !== undefined && attribute in known ? [] : ['no such attribute'];
}

/** Roles that Google does not have, and custom roles that bootstrap does not make. */
export function roleFaults(
  terraform: Terraform,
  names: readonly string[],
  custom: readonly string[],
): string[] {
  return stringsIn(terraform).flatMap((text) => {
    const own = /^projects\/\$\{var\.project\}\/roles\/(\w+)$/.exec(text)?.[1];
    if (own !== undefined)
      return custom.includes(own) ? [] : [`${own}: bootstrap makes no such role`];
    return /^roles\//.test(text) && !names.includes(text)
      ? [`${text}: Google has no such role`]
      : [];
  });
}
