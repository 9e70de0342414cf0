import type { Body, Json, Terraform } from './read.ts';
import type { BlockSchema, FieldSchema, ProviderSchema } from './schema.ts';
import { expressionOf } from './strings.ts';

/** Arguments that every resource takes; Terraform itself reads them. */
const META = new Set(['count', 'for_each', 'depends_on', 'lifecycle', 'provider', 'timeouts']);

/** What the provider would refuse, one line each; `terraform_data` is Terraform's own. */
export function schemaFaults(terraform: Terraform, schema: ProviderSchema): string[] {
  const kinds = [
    { blocks: terraform.resource, types: schema.resources, prefix: '' },
    { blocks: terraform.data, types: schema.data, prefix: 'data.' },
  ];
  return kinds.flatMap(({ blocks, types, prefix }) =>
    Object.entries(blocks).flatMap(([type, named]) => {
      if (type === 'terraform_data') return [];
      const known = types[type];
      if (known === undefined) return [`${prefix}${type}: no such type (see derive-schema.ts)`];
      return Object.entries(named).flatMap(([name, body]) =>
        bodyFaults(`${prefix}${type}.${name}`, without(body, META), known),
      );
    }),
  );
}

function bodyFaults(path: string, body: Body, schema: BlockSchema): string[] {
  const { dynamic, ...given } = body;
  const blocks = dynamicBlocks(dynamic);
  const faults = Object.entries(given).flatMap(([name, value]) =>
    fieldFaults(`${path}.${name}`, value, schema[name]),
  );
  for (const [name, { content, each }] of blocks) {
    const field = schema[name];
    if (each === undefined) faults.push(`${path}.${name}: a dynamic block without for_each`);
    faults.push(...fieldFaults(`${path}.${name}`, [content], field));
  }
  const there = new Set([...Object.keys(given), ...blocks.map(([name]) => name)]);
  for (const [name, { use }] of Object.entries(schema)) {
    if (use === 'required' && !there.has(name)) faults.push(`${path}.${name}: is required`);
  }
  return faults;
}

/** Several dynamic blocks of one name are each looked at. */
function dynamicBlocks(
  dynamic: Json | undefined,
): [string, { content: Json; each: Json | undefined }][] {
  return Object.entries((dynamic ?? {}) as Body).flatMap(([name, blocks]) =>
    (blocks as readonly Body[]).map(
      (block): [string, { content: Json; each: Json | undefined }] => [
        name,
        { content: (block['content'] as readonly Body[])[0] ?? {}, each: block['for_each'] },
      ],
    ),
  );
}

function fieldFaults(path: string, value: Json, field: FieldSchema | undefined): string[] {
  if (field === undefined) return [`${path}: the provider knows no such argument or block`];
  if (field.use === 'computed') return [`${path}: can only be read`];
  const faults = field.deprecated ? [`${path}: is deprecated`] : [];
  if (field.block === undefined || field.attribute) {
    return [...faults, ...attributeFaults(path, value, field)];
  }
  if (!isBlocks(value)) return [...faults, `${path}: is a block, not an argument`];
  if (field.max !== undefined && value.length > field.max) {
    faults.push(`${path}: ${value.length} blocks, at most ${field.max}`);
  }
  for (const block of value) faults.push(...bodyFaults(path, block, field.block));
  return faults;
}

function attributeFaults(path: string, value: Json, field: FieldSchema): string[] {
  const { type, words } = field;
  if (expressionOf(value) !== undefined) {
    return choicesOf(value as string).flatMap((choice) => wordFaults(path, choice, words));
  }
  if (isBlocks(value) && type !== 'list' && type !== 'set') {
    return [`${path}: is an argument, not a block`];
  }
  const is = Array.isArray(value) ? 'list' : typeof value === 'object' ? 'map' : typeof value;
  if (!FITTING[type].includes(is)) return [`${path}: is a ${type}, not ${JSON.stringify(value)}`];
  if (type === 'number' && is === 'string' && Number.isNaN(Number(value))) {
    return [`${path}: is a number, not ${JSON.stringify(value)}`];
  }
  return typeof value === 'string' ? wordFaults(path, value, words) : [];
}

/** What Terraform turns into each type by itself; templates in a string count as a string. */
const FITTING: Readonly<Record<FieldSchema['type'], readonly string[]>> = {
  string: ['string', 'number', 'boolean'],
  number: ['number', 'string'],
  bool: ['boolean'],
  list: ['list'],
  set: ['list'],
  map: ['map'],
};

/** The words that `condition ? "A" : "B"` can become. */
function choicesOf(value: string): string[] {
  const choice = /\?\s*"([^"$]*)"\s*:\s*"([^"$]*)"$/.exec(expressionOf(value) ?? '');
  return choice === null ? [] : [choice[1] ?? '', choice[2] ?? ''];
}

const wordFaults = (path: string, word: string, words: readonly string[] | undefined): string[] =>
  words === undefined || words.includes(word) || word.includes('${')
    ? []
    : [`${path}: "${word}" is none of ${words.join(', ')}`];

const isBlocks = (value: Json): value is readonly Body[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((each) => typeof each === 'object' && each !== null && !Array.isArray(each));

const without = (body: Body, names: ReadonlySet<string>): Body =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !names.has(name)));
