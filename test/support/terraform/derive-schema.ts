/**
 * Derives google-schema.json, what the provider `hashicorp/google` says of the resources that we
 * use, from the provider's own source: its Go literals are regular enough to be read as they are.
 *
 *   git clone https://github.com/hashicorp/terraform-provider-google DIRECTORY
 *   npx node test/support/terraform/derive-schema.ts DIRECTORY
 *
 * To be run again when infra/ uses another type or block, or for a newer provider.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GoLiteral, type GoValue, parseGo } from './go-literals.ts';
import { readTerraform, typesUsed } from './read.ts';
import type { BlockSchema, FieldSchema, ProviderSchema } from './schema.ts';

const TYPES: Readonly<Record<string, FieldSchema['type']>> = {
  'schema.TypeString': 'string',
  'schema.TypeInt': 'number',
  'schema.TypeFloat': 'number',
  'schema.TypeBool': 'bool',
  'schema.TypeList': 'list',
  'schema.TypeSet': 'set',
  'schema.TypeMap': 'map',
};

/** What a data source is found by (data_source_google_project.go and its like). */
const DATA_KEYS: Readonly<Record<string, readonly string[]>> = {
  google_service_account: ['account_id', 'project'],
  google_project: ['project_id'],
};

const HELPERS = 'google/tpgresource/utils.go';

/** The sources of one commit. */
class Source {
  readonly #directory: string;
  readonly #parsed = new Map<string, ReturnType<typeof parseGo>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  git(...args: string[]): string {
    const options = { encoding: 'utf8', maxBuffer: 1 << 28 } as const;
    return execFileSync('git', ['-C', this.#directory, ...args], options);
  }

  parsed(file: string): ReturnType<typeof parseGo> {
    const parsed = this.#parsed.get(file) ?? parseGo(this.git('show', `HEAD:${file}`));
    this.#parsed.set(file, parsed);
    return parsed;
  }

  /** Files of the provider that hold `text`. */
  filesWith(text: string): string[] {
    return this.git('grep', '-lF', text, 'HEAD', '--', 'google/*.go')
      .split('\n')
      .filter((line) => line !== '' && !line.endsWith('_test.go'))
      .map((line) => line.slice('HEAD:'.length));
  }
}

/** Where the type is registered, and by which expression: `ResourcePubsubTopic()` and the like. */
function registrationOf(source: Source, type: string): { file: string; expression: string } {
  const kinds = ['registry.SchemaTypeResource', 'registry.SchemaTypeIAMResource'];
  for (const file of source.filesWith(`Name:        "${type}"`)) {
    for (const { fields } of source.parsed(file).registrations) {
      if (fields['Name'] !== type || !kinds.includes(String(fields['Type']))) continue;
      return { file, expression: String(fields['Schema']) };
    }
  }
  throw new Error(`the provider registers no resource ${type}`);
}

function schemaOf(source: Source, type: string): BlockSchema {
  const { file, expression } = registrationOf(source, type);
  const { returns, values } = source.parsed(file);
  const name = /^(\w+)\(\)$/.exec(expression)?.[1];
  const made = name === undefined ? expression : returns.get(name);
  if (typeof made === 'object') return blockOf(source, file, made.fields['Schema']);
  // Members of a role: what they are members on, and what all of them have.
  const on = /^tpgiamresource\.ResourceIamMember\((\w+),/.exec(made ?? '')?.[1];
  if (on === undefined) throw new Error(`${type}: ${expression} is not understood`);
  const all = source.parsed('google/tpgiamresource/resource_iam_member.go').values;
  return {
    ...blockOf(source, file, values.get(on)),
    ...blockOf(source, file, all.get('IamMemberBaseSchema')),
  };
}

/** A data source that shows a resource: all is read but what it is found by. */
function dataSchemaOf(source: Source, type: string): BlockSchema {
  const keys = DATA_KEYS[type];
  if (keys === undefined) throw new Error(`what ${type} is found by is not known here`);
  return Object.fromEntries(
    Object.entries(schemaOf(source, type)).map(([name, field]) => [
      name,
      { ...field, use: keys.includes(name) ? 'optional' : 'computed' },
    ]),
  );
}

function blockOf(source: Source, file: string, value: GoValue | undefined): BlockSchema {
  if (typeof value !== 'object') throw new Error(`${file}: no schema but ${String(value)}`);
  return Object.fromEntries(
    Object.entries(value.fields).map(([name, field]) => [
      name,
      fieldOf(source, file, resolve(source, file, field)),
    ]),
  );
}

/** A literal behind a name or a call of the same file, or of the one helper that all use. */
function resolve(source: Source, file: string, value: GoValue): GoLiteral {
  if (typeof value === 'object') return value;
  const [, helper] = /^tpgresource\.(\w+\(.*\))$/s.exec(value) ?? [];
  if (helper !== undefined) return resolve(source, HELPERS, helper);
  const { returns, values } = source.parsed(file);
  const called = /^(\w+)\(.*\)$/s.exec(value)?.[1];
  const found = called === undefined ? values.get(value) : returns.get(called);
  if (typeof found !== 'object') throw new Error(`${file}: ${value} is not understood`);
  return found;
}

function fieldOf(source: Source, file: string, { fields }: GoLiteral): FieldSchema {
  const type = TYPES[String(fields['Type'])];
  if (type === undefined) throw new Error(`${file}: unknown type ${String(fields['Type'])}`);
  const isTrue = (name: string): boolean => fields[name] === 'true';
  const use = isTrue('Required') ? 'required' : isTrue('Optional') ? 'optional' : 'computed';
  const element = fields['Elem'] === undefined ? undefined : resolve(source, file, fields['Elem']);
  const inner = element?.fields['Schema'];
  const words = enumOf(fields['ValidateFunc']);
  return {
    type,
    use,
    ...(use === 'optional' && isTrue('Computed') ? { computed: true } : {}),
    ...(isTrue('WriteOnly') ? { writeOnly: true } : {}),
    ...(fields['Deprecated'] === undefined ? {} : { deprecated: true }),
    ...(fields['MaxItems'] === undefined ? {} : { max: Number(fields['MaxItems']) }),
    ...(words === undefined ? {} : { words }),
    // A list with a schema that is only computed is an attribute; one that can be given is a block.
    ...(inner === undefined
      ? elementTypeOf(element)
      : {
          ...(fields['ConfigMode'] === 'schema.SchemaConfigModeAttr' ? { attribute: true } : {}),
          block: blockOf(source, file, resolve(source, file, inner)),
        }),
  };
}

function elementTypeOf(element: GoLiteral | undefined): { of?: FieldSchema['type'] } {
  const type = TYPES[String(element?.fields['Type'])];
  return type === undefined ? {} : { of: type };
}

/** The words of `verify.ValidateEnum([]string{"A", "B"})` and its like. */
function enumOf(value: GoValue | undefined): string[] | undefined {
  if (typeof value !== 'string') return undefined;
  const list = /^(?:verify\.ValidateEnum|validation\.StringInSlice)\(\[\]string\{([^}]*)\}/.exec(
    value,
  )?.[1];
  return list === undefined ? undefined : [...list.matchAll(/"([^"]*)"/g)].map(([, word]) => word!);
}

/** Without the blocks that are not used, which are most of it: to be derived again with them. */
function pruned(schema: BlockSchema, names: ReadonlySet<string>): BlockSchema {
  return Object.fromEntries(
    Object.entries(schema)
      .filter(
        ([name, { block, use }]) => block === undefined || use === 'required' || names.has(name),
      )
      .map(([name, field]) => [
        name,
        field.block === undefined ? field : { ...field, block: pruned(field.block, names) },
      ]),
  );
}

/** Names of what is written, and of what `ignore_changes` names: `${template[0].revision}`. */
function namesIn(value: unknown): string[] {
  if (typeof value === 'string') return /^\$\{[\w.[\]]+\}$/.test(value) ? value.match(/\w+/g)! : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => [name, ...namesIn(each)]);
}

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: derive-schema.ts DIRECTORY-OF-THE-PROVIDER');
const source = new Source(directory);
const terraform = await readTerraform();
const used = typesUsed(terraform);
const names = new Set(namesIn({ ...terraform.resource, ...terraform.data }));
const schema: ProviderSchema = {
  source: 'https://github.com/hashicorp/terraform-provider-google',
  commit: source.git('rev-parse', 'HEAD').trim(),
  version: /^## (7\.\d+\.\d+) \(\w+ \d/m.exec(source.git('show', 'HEAD:CHANGELOG.md'))?.[1] ?? '',
  resources: Object.fromEntries(
    used.resources.map((type) => [type, pruned(schemaOf(source, type), names)]),
  ),
  data: Object.fromEntries(
    used.data.map((type) => [type, pruned(dataSchemaOf(source, type), names)]),
  ),
};
const file = join(import.meta.dirname, 'google-schema.json');
writeFileSync(file, `${JSON.stringify(schema)}\n`);
process.stdout.write(`${file}: ${used.resources.length + used.data.length} types\n`);
