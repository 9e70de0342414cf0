import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { decode, ExtData, ExtensionCodec, encode } from '@msgpack/msgpack';
import { type BlockSchema, type FieldSchema, googleSchema } from './schema.ts';

/**
 * Stands in for the provider `google` before the real Terraform, which then checks types, functions,
 * `for_each`, rules and all else that it does itself. It says the schema that was derived from the
 * real one's source, plans whatever it is asked for, and reaches nothing.
 */
export interface StandIn {
  /** For TF_REATTACH_PROVIDERS: by this Terraform uses it instead of one that it would download. */
  readonly reattach: string;
  close(): void;
}

/** What the cloud will say of a resource: not known before it is made, or as it usually looks. */
export type Foresight = 'unknown' | 'known';

const NESTING_LIST = 2;
const NESTING_SET = 3;

/** In a value, what is not known yet. */
const UNKNOWN = new ExtData(0, new Uint8Array([0]));

/** Extensions stay as they are: Terraform says by them what is not known yet. */
const codec = new ExtensionCodec();

type Values = Record<string, unknown>;
type Fill = (type: string, name: string, field: FieldSchema, values: Values) => unknown;

interface Typed {
  readonly type_name: string;
  readonly config?: { readonly msgpack: Buffer };
}

interface PlanRequest extends Typed {
  readonly proposed_new_state?: { readonly msgpack: Buffer };
}

interface ImportRequest {
  readonly type_name: string;
  readonly id: string;
}

interface ReadRequest {
  readonly current_state?: { readonly msgpack: Buffer };
}

/** Listens on a free port of the loopback address. */
export async function startStandIn(foresight: Foresight): Promise<StandIn> {
  const schema = googleSchema();
  const fill: Fill = foresight === 'unknown' ? () => UNKNOWN : usual;
  const file = join(import.meta.dirname, 'provider.proto');
  const loaded = grpc.loadPackageDefinition(loadSync(file, { keepCase: true, longs: Number }));
  const { Provider } = loaded['tfplugin6'] as unknown as {
    readonly Provider: grpc.ServiceClientConstructor;
  };
  const nothing = answer(() => ({}));
  const server = new grpc.Server();
  server.addService(Provider.service, {
    GetProviderSchema: answer(() => ({
      provider: { block: blockOf(PROVIDER) },
      resource_schemas: schemasOf(schema.resources),
      data_source_schemas: schemasOf(schema.data),
    })),
    ValidateProviderConfig: nothing,
    ValidateResourceConfig: nothing,
    ValidateDataResourceConfig: nothing,
    ConfigureProvider: nothing,
    StopProvider: nothing,
    PlanResourceChange: answer(({ type_name, proposed_new_state }: PlanRequest) => {
      const planned = filled(type_name, valuesOf(proposed_new_state), schema.resources, fill);
      // As the real one does: it stands on the SDK whose values are looser than Terraform's.
      return { planned_state: packed(planned), legacy_type_system: true };
    }),
    ImportResourceState: answer(({ type_name, id }: ImportRequest) => ({
      imported_resources: [{ type_name, state: packed(found(type_name, id, schema.resources)) }],
    })),
    ReadResource: answer(({ current_state }: ReadRequest) => ({ new_state: current_state })),
    ReadDataSource: answer(({ type_name, config }: Typed) => ({
      state: packed(filled(type_name, valuesOf(config), schema.data, usual)),
    })),
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const attached = {
    Protocol: 'grpc',
    ProtocolVersion: 6,
    Pid: process.pid,
    Test: true,
    Addr: { Network: 'tcp', String: `127.0.0.1:${port}` },
  };
  return {
    reattach: JSON.stringify({ 'registry.terraform.io/hashicorp/google': attached }),
    close: () => server.forceShutdown(),
  };
}

function answer<Request>(of: (request: Request) => object) {
  return (call: { request: Request }, done: (error: Error | null, response?: object) => void) => {
    try {
      done(null, of(call.request));
    } catch (error) {
      done(error as Error);
    }
  };
}

const string: FieldSchema = { type: 'string', use: 'optional' };

/** Of the provider's own settings those that we use. */
const PROVIDER: BlockSchema = {
  project: string,
  region: string,
  default_labels: { type: 'map', use: 'optional', of: 'string' },
};

/** What every resource of the SDK has beside its schema. */
const ID: BlockSchema = { id: { type: 'string', use: 'optional', computed: true } };

const schemasOf = (types: Readonly<Record<string, BlockSchema>>) =>
  Object.fromEntries(
    Object.entries(types).map(([type, block]) => [type, { block: blockOf({ ...ID, ...block }) }]),
  );

const isBlock = (field: FieldSchema): field is FieldSchema & { readonly block: BlockSchema } =>
  field.block !== undefined && field.use !== 'computed' && !field.attribute;

function blockOf(block: BlockSchema): object {
  const fields = Object.entries(block);
  return {
    attributes: fields.flatMap(([name, field]) =>
      isBlock(field)
        ? []
        : [
            {
              name,
              type: Buffer.from(JSON.stringify(typeOf(field))),
              required: field.use === 'required',
              optional: field.use === 'optional',
              computed: field.use === 'computed' || field.computed === true,
              write_only: field.writeOnly === true,
            },
          ],
    ),
    block_types: fields.flatMap(([name, field]) =>
      isBlock(field)
        ? [
            {
              type_name: name,
              block: blockOf(field.block),
              nesting: field.type === 'set' ? NESTING_SET : NESTING_LIST,
              min_items: field.use === 'required' ? 1 : 0,
              max_items: field.max ?? 0,
            },
          ]
        : [],
    ),
  };
}

/** A type as Terraform writes it in JSON: `"string"`, `["list","string"]`, `["object",{…}]`. */
function typeOf({ type, of, block }: FieldSchema): unknown {
  if (type !== 'list' && type !== 'set' && type !== 'map') return type;
  if (block === undefined) return [type, of ?? 'string'];
  const fields = Object.entries(block).map(([name, field]) => [name, typeOf(field)]);
  return [type, ['object', Object.fromEntries(fields)]];
}

const valuesOf = (value: { readonly msgpack: Buffer } | undefined): Values | null =>
  value === undefined ? null : (decode(value.msgpack, { extensionCodec: codec }) as Values | null);

const packed = (value: unknown) => ({
  msgpack: Buffer.from(encode(value, { extensionCodec: codec })),
});

/** What is there already and Terraform is to take over: known by its name, and otherwise bare. */
function found(type: string, id: string, types: Readonly<Record<string, BlockSchema>>): Values {
  const bare = Object.fromEntries(
    Object.entries(types[type] ?? {}).map(([name, field]) => [name, isBlock(field) ? [] : null]),
  );
  return { ...bare, id, name: id.split('/').at(-1) };
}

/** A value with what the cloud says of it; null, which means that it goes, stays null. */
function filled(
  type: string,
  values: Values | null,
  types: Readonly<Record<string, BlockSchema>>,
  fill: Fill,
): Values | null {
  const block = types[type];
  if (block === undefined) throw new Error(`no such type: ${type}`);
  return values === null ? null : filledBlock(type, values, { ...ID, ...block }, fill);
}

function filledBlock(type: string, values: Values, block: BlockSchema, fill: Fill): Values {
  const entries = Object.entries(block).map(([name, field]): [string, unknown] => {
    const value = values[name] ?? null;
    if (field.writeOnly) return [name, null];
    if (isBlock(field) && Array.isArray(value)) {
      return [name, value.map((each: Values) => filledBlock(type, each, field.block, fill))];
    }
    const isSaid = field.use === 'computed' || field.computed === true;
    return [
      name,
      value === null && isSaid && !isBlock(field) ? fill(type, name, field, values) : value,
    ];
  });
  return Object.fromEntries(entries);
}

/** How the cloud usually names what it makes. */
function usual(type: string, name: string, field: FieldSchema, values: Values): unknown {
  const of = (key: string): string => String(values[key] ?? key);
  const named = values['name'] ?? values['account_id'] ?? values['role_id'] ?? values['secret_id'];
  const email = `${of('account_id')}@stand-in.iam.gserviceaccount.com`;
  const says: Readonly<Record<string, string>> = {
    id: `projects/stand-in/${type}/${String(named ?? 'one')}`,
    uri: `https://${of('name')}-1234567890.a.run.app`,
    connection_name: `stand-in:region-1:${of('name')}`,
    number: '1234567890',
    version: '1',
    email,
    member: `serviceAccount:${email}`,
  };
  if (field.type === 'string') return says[name] ?? `stand-in-${name}`;
  if (field.type === 'number') return 1;
  if (field.type === 'bool') return false;
  return field.type === 'map' ? {} : [];
}
