import { Operator } from '../support/deploy/pipeline.ts';
import type { Revisions, World } from '../support/deploy/world.ts';

/** Where a world has come to, with images by what they are: of the last build, of the version before, or neither. */
function endOf({ services, follow, jobs, locks, alerts }: World, image: string) {
  const named = (of: string | undefined) =>
    of === image ? 'new' : of === imageOf(deployed) ? 'old' : 'neither';
  const serving = ({ revisions, traffic }: Revisions) =>
    traffic
      .filter(({ percent = 0, tag }) => percent > 0 || tag !== undefined)
      .map(({ revision, percent, tag }) => `${tag ?? percent}: ${named(revisions[revision])}`)
      .toSorted();
  const each = <T, R>(record: Record<string, T>, how: (value: T) => R) =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [name, how(value)]));
  return {
    services: each(services, serving),
    follow: follow && serving(follow),
    jobs: each(jobs, named),
    lock: Object.keys(locks),
    alerts,
  };
}

const endAfter = (...tags: readonly string[]) => ({
  services: Object.fromEntries(
    ['store', 'relay', 'fetch', 'upkeep', 'probe'].map((name) => [
      name,
      ['100: new', ...tags, 'stable: new'],
    ]),
  ),
  follow: ['100: new'],
  jobs: { migrate: 'new', check: 'new', health: 'new' },
  lock: [],
  alerts: true,
});
const imageOf = ({ jobs }: World) => jobs['migrate'] ?? '';

let ready: World;
let deployed: World;
beforeAll(async () => {
  const first = await Operator.start();
  await first.type('infra/bootstrap.sh --project=my-relay-123 --profile=public --yes');
  ready = first.world;
  expect((await first.submit()).code).toBe(0);
  deployed = first.world;
  await first.close();
}, 120_000);

/** A build from a world that ends after a call, and the next one. */
async function dieAndRerun(world: World, call: number) {
  const operator = await Operator.start(world);
  operator.changeVersion();
  const before = operator.world.services['relay'];
  const died = await operator.submit({}, call);
  const left = operator.world;
  const rerun = await operator.submit();
  const end = operator.world;
  const refused = operator.calls.filter((each) => each.refused !== undefined);
  await operator.close();
  return { died, left, rerun, end, refused, before };
}

/** Numbers of the calls that changed something; after the others it stands as after those. */
async function changing(world: World): Promise<{ calls: number[]; end: World }> {
  const operator = await Operator.start(world);
  operator.changeVersion();
  expect((await operator.submit()).code).toBe(0);
  const calls = operator.calls.flatMap(({ changed }, index) => (changed ? [index + 1] : []));
  const { world: end } = operator;
  await operator.close();
  return { calls, end };
}

it.each([
  ['a first deployment', () => ready, endAfter()],
  ['an upgrade', () => deployed, endAfter('previous: old')],
])(
  '%s that dies after any call and is run again ends as one that never died',
  async (_, from, wanted) => {
    const { calls, end } = await changing(from());
    expect(endOf(end, imageOf(end))).toEqual(wanted);
    expect(calls.length).toBeGreaterThan(15);
    // Each takes two seconds, so the gate tries a part of them.
    const every = process.env['RERUNS'] === 'all' ? 1 : 4;
    for (const call of calls.filter((_, index) => index % every === 0)) {
      const run = await dieAndRerun(from(), call);
      expect({ call, code: run.died.code }).not.toEqual({ call, code: 0 });
      expect({
        call,
        refused: run.refused,
        code: run.rerun.code,
        text: run.rerun.text,
      }).toMatchObject({
        ...{ call, refused: [], code: 0 },
      });
      expect({ call, ...endOf(run.end, imageOf(run.end)) }).toEqual({ call, ...wanted });
      // What was left in the meantime led clients to revisions that are there.
      const shares = (run.left.services['relay']?.traffic ?? []).map(({ percent = 0 }) => percent);
      if (run.before !== undefined) expect(shares.reduce((sum, one) => sum + one, 0)).toBe(100);
    }
  },
  900_000,
);
