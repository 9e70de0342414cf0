import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, JsonObject } from './json.ts';

const INFRA = join(import.meta.dirname, '../../../infra');

export interface InfraFile {
  /** Without its ending. */
  readonly name: string;
  readonly json: JsonObject;
}

/** The files of a folder under `infra/`, by name. */
export function infraFiles(folder: 'dashboards' | 'alerts' | 'slos' | 'uptime'): InfraFile[] {
  return readdirSync(join(INFRA, folder))
    .sort()
    .map((file) => ({
      name: file.replace(/\.json$/, ''),
      json: infraJson(join(folder, file)) as JsonObject,
    }));
}

export const infraJson = (path: string): Json =>
  JSON.parse(readFileSync(join(INFRA, path), 'utf8')) as Json;
