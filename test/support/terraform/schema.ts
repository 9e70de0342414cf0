import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One argument, attribute or block of a resource. */
export interface FieldSchema {
  readonly type: 'string' | 'number' | 'bool' | 'list' | 'set' | 'map';
  /** `computed`: only read, never given. */
  readonly use: 'required' | 'optional' | 'computed';
  /** Optional, and the cloud says what it is where it is not given. */
  readonly computed?: true;
  readonly writeOnly?: true;
  readonly deprecated?: true;
  /** At most so many blocks. */
  readonly max?: number;
  /** The only values allowed. */
  readonly words?: readonly string[];
  /** What a list, set or map holds, where that is no block. */
  readonly of?: FieldSchema['type'];
  /** What a block holds. */
  readonly block?: BlockSchema;
  /** Written with `=`, although it holds what a block does. */
  readonly attribute?: true;
}

export interface BlockSchema {
  readonly [name: string]: FieldSchema;
}

/** What the provider says of the types that infra/ uses; see derive-schema.ts. */
export interface ProviderSchema {
  readonly source: string;
  readonly commit: string;
  readonly version: string;
  readonly resources: Readonly<Record<string, BlockSchema>>;
  readonly data: Readonly<Record<string, BlockSchema>>;
}

export const googleSchema = (): ProviderSchema =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, 'google-schema.json'), 'utf8'),
  ) as ProviderSchema;
