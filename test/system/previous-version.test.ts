import { execFile } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { migrate } from '../../functions/database/migrate.ts';
import { usePostgres } from '../support/postgres.ts';
import {
  filesOf,
  isInPreviousVersion,
  itFromPreviousVersion,
  PREVIOUS_NAME,
  previousVersion,
  type SourceTree,
  thisVersion,
} from '../support/previous-version.ts';
import { ALLOWED } from '../support/schema/allowed.ts';
import { breaking } from '../support/schema/compare.ts';
import { readSchema } from '../support/schema/read.ts';

const MIGRATIONS = 'functions/database/migrations';

/** Its tests of storing, querying, deletions, upkeep and retention, and fetch, on a real database. */
const THEIR_TESTS = [
  'test/system/store.test.ts',
  'test/system/two-instances.test.ts',
  'test/system/fetch/ways.test.ts',
  'test/unit/database/partitions.test.ts',
  'test/unit/upkeep/retention.test.ts',
  // They take as long again, and the gate has its time.
  ...(process.env['PREVIOUS_TESTS'] === 'all'
    ? [
        'test/system/interleavings.test.ts',
        'test/system/trace.test.ts',
        'test/unit/database/rewrite.test.ts',
        'test/unit/database/sources.test.ts',
        'test/unit/database/upkeep.test.ts',
        'test/unit/upkeep/upkeep.test.ts',
      ]
    : []),
];
/** About a minute on two cores that have nothing else to do. */
const PATIENCE_MS = 600_000;

const server = usePostgres();
let trees: SourceTree[] = [];
afterEach(() => {
  for (const tree of trees.splice(0)) tree.remove();
});

function takePrevious(): SourceTree {
  const tree = previousVersion();
  trees = [...trees, tree];
  return tree;
}

/** A schema that the migrations of a version make. */
async function schemaOf(tree: SourceTree) {
  const { pool } = await server.createDatabase();
  await migrate(pool, { directory: join(tree.root, MIGRATIONS) });
  return readSchema(pool);
}

/** What jest tells of a run, as far as it is read here. */
interface Run {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Runs tests of a version with its own code, each on databases that it makes itself. */
async function runTests(tree: SourceTree, paths: readonly string[]): Promise<Run> {
  const output = join(tree.root, 'run.json');
  const jest = join(tree.root, 'node_modules/jest/bin/jest.js');
  const args = ['--rootDir', tree.root, '--json', `--outputFile=${output}`, '--runTestsByPath'];
  await promisify(execFile)(
    process.execPath,
    ['--experimental-vm-modules', '--no-warnings', jest, ...args, ...filesOf(tree, paths)],
    { cwd: tree.root, timeout: PATIENCE_MS, maxBuffer: 64 * 1_048_576 },
    // Which tests failed stands in the file.
  ).catch(() => undefined);
  return JSON.parse(readFileSync(output, 'utf8')) as Run;
}

describe(`the previous version (${PREVIOUS_NAME}) on the schema of this one`, () => {
  itFromPreviousVersion(
    'finds all that it knows, and is refused nothing: removals wait one release',
    async () => {
      const found = breaking(await schemaOf(takePrevious()), await schemaOf(thisVersion));
      const allowed = ALLOWED.map(({ finding }) => finding);
      // Each that is found and not allowed breaks it; each that is allowed and not found may go.
      expect(found.sort()).toEqual(allowed.sort());
      for (const { finding, unusedSince } of ALLOWED) {
        if (!finding.endsWith(' is gone')) continue;
        expect([finding, isInPreviousVersion(unusedSince ?? 'no commit')]).toEqual([finding, true]);
      }
    },
    60_000,
  );

  itFromPreviousVersion(
    'passes its own tests: storing, querying, deletions, upkeep, retention, fetch',
    async () => {
      const tree = takePrevious();
      const target = join(tree.root, MIGRATIONS);
      cpSync(join(thisVersion.root, MIGRATIONS), target, { recursive: true });
      const { testResults, numPassedTests } = await runTests(tree, THEIR_TESTS);
      const failed = testResults.filter(({ status }) => status !== 'passed');
      expect(failed.map(({ message }) => message)).toEqual([]);
      expect(testResults.map(({ name }) => name).sort()).toEqual(filesOf(tree, THEIR_TESTS).sort());
      process.stderr.write(
        `${PREVIOUS_NAME}: ${numPassedTests} of its tests pass on this schema\n`,
      );
    },
    PATIENCE_MS + 60_000,
  );
});
