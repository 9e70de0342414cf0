import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** One file of `infra/`: its content, or why there is none. */
export interface InfraFile<T> {
  /** The file's name without its ending. */
  readonly id: string;
  readonly content?: T;
  readonly fault?: string;
}

/**
 * The JSON files of a folder, read anew each time, so that whoever changes one sees it at the next
 * look. A folder that is not there has none.
 */
export async function readJsonFiles<T>(folder: string): Promise<InfraFile<T>[]> {
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => name.endsWith('.json')).sort();
  return Promise.all(files.map((name) => readJsonFile<T>(folder, name)));
}

async function readJsonFile<T>(folder: string, name: string): Promise<InfraFile<T>> {
  const id = name.slice(0, -'.json'.length);
  try {
    return { id, content: JSON.parse(await readFile(join(folder, name), 'utf8')) as T };
  } catch (error) {
    return { id, fault: `${name}: ${(error as Error).message}` };
  }
}

/** `infra/` of the project that a file belongs to, whether it runs from source or compiled. */
export function findInfra(from: string): string {
  let folder = dirname(from);
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return join(folder, 'infra');
}
