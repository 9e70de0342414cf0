import { type BuildEnded, Operator } from '../support/deploy/pipeline.ts';
import type { Fault, World } from '../support/deploy/world.ts';

let operator: Operator;
/** After bootstrap, and after a first deployment. */
let ready: World;
let deployed: World;
beforeAll(async () => {
  const first = await Operator.start();
  expect((await first.type('infra/bootstrap.sh --project=my-relay-123 --yes')).code).toBe(0);
  ready = first.world;
  expect((await first.submit()).code).toBe(0);
  deployed = first.world;
  await first.close();
}, 120_000);

beforeEach(async () => {
  operator = await Operator.start(deployed);
});
afterEach(async () => {
  // Whatever a test is about: no tool was called with what it does not know.
  expect(operator.calls.filter(({ refused }) => refused !== undefined)).toEqual([]);
  await operator.close();
});

const failing = (tool: Fault['tool'], call: string, says: string, times?: number): Fault => ({
  ...{ tool, call, says },
  ...(times !== undefined && { times }),
});

/** Who has the traffic of a service. */
const traffic = (service: string, world: World = operator.world) =>
  Object.fromEntries(
    (world.services[service]?.traffic ?? [])
      .filter(({ percent }) => percent !== undefined)
      .map(({ revision, percent }) => [revision, percent]),
  );
const tags = (service: string, world: World = operator.world) =>
  Object.fromEntries(
    (world.services[service]?.traffic ?? [])
      .filter(({ tag }) => tag !== undefined)
      .map(({ revision, tag }) => [tag, revision]),
  );

/** A second deployment, with one thing that goes wrong. */
async function upgrade(fault?: Fault): Promise<BuildEnded> {
  if (fault !== undefined) operator.change((world) => void world.faults.push(fault));
  operator.changeVersion();
  return operator.submit();
}

const shifts = () =>
  operator.calls
    .filter(({ args }) => args.slice(0, 4).join(' ') === 'run services update-traffic relay')
    .map(({ args }) => args.find((arg) => arg.startsWith('--to-')))
    .filter((arg) => arg !== undefined);

it('the first deployment ends with a relay that has all traffic, alerts and an address', async () => {
  operator.reset(ready);
  const { code, text } = await operator.submit();
  expect(code).toBe(0);
  expect(text).toContain('The relay: wss://relay-xyz.a.run.app');
  expect(text).toContain('https://console/1');
  expect(traffic('relay')).toEqual({ 'relay-00002-abc': 100 });
  expect(tags('relay')).toMatchObject({ stable: 'relay-00002-abc' });
  expect(operator.world.alerts).toBe(true);
});

it('the first deployment makes tables before Terraform makes what needs them', async () => {
  operator.reset(ready);
  await operator.submit();
  const calls = operator.calls.map(({ tool, args }) => `${tool} ${args.join(' ')}`);
  const first = (pattern: RegExp) => calls.findIndex((call) => pattern.test(call));
  expect(first(/apply.*-target/)).toBeLessThan(first(/jobs execute migrate/));
  expect(first(/jobs execute migrate/)).toBeLessThan(first(/apply(?!.*-target)/));
});

it('alerts wait at the first deployment until their metrics are there', async () => {
  operator.reset(ready);
  operator.change((world) => {
    world.faults.push(
      failing('terraform', '^apply(?!.*monitoring_policies)', 'Cannot find metric', 2),
    );
  });
  expect((await operator.submit()).code).toBe(0);
  expect(operator.world.alerts).toBe(true);
});

it('an upgrade waits for the metrics that its alerts are the first to name', async () => {
  const unknown = failing(
    'terraform',
    '^apply(?!.*-target)',
    'Error 404: Cannot find metric(s)',
    9,
  );
  expect(await upgrade(unknown)).toMatchObject({ code: 0 });
  expect(traffic('relay')).toEqual({ 'relay-00004-abc': 100 });
});

it('nothing but a missing metric is waited for before the release', async () => {
  await upgrade(failing('terraform', '^apply(?!.*-target)', 'Quota CPUS exceeded'));
  const applied = operator.calls.filter(
    ({ tool, step, args }) => tool === 'terraform' && step === 'terraform' && args[0] === 'apply',
  );
  expect(applied).toHaveLength(1);
});

it('alerts that fail after the first release are not told as a release that failed', async () => {
  operator.reset(ready);
  const fault = failing('terraform', '^apply(?!.*monitoring_policies)', 'no permission');
  const { code, text } = await upgrade(fault);
  expect(code).not.toBe(0);
  expect(text).toContain('The release is done, and serves');
  expect(text).not.toContain('No traffic was moved');
});

it('an upgrade brings store in first, then the relay by 10, 50 and 100 %', async () => {
  const { code } = await upgrade();
  expect(code).toBe(0);
  expect(shifts().slice(-4)).toEqual([
    '--to-revisions=relay-00002-abc=100',
    '--to-revisions=relay-00004-abc=10,relay-00002-abc=90',
    '--to-revisions=relay-00004-abc=50,relay-00002-abc=50',
    '--to-revisions=relay-00004-abc=100',
  ]);
  expect(tags('relay')).toEqual({ stable: 'relay-00004-abc', previous: 'relay-00002-abc' });
  for (const service of ['store', 'fetch', 'upkeep', 'probe']) {
    expect(traffic(service)).toEqual({ [`${service}-00004-abc`]: 100 });
  }
  const order = operator.calls
    .filter(({ args, step }) => step === 'release' && args.join(' ').startsWith('run deploy'))
    .map(({ args }) => args[2]);
  expect(order.slice(-5)).toEqual(['store', 'relay', 'fetch', 'upkeep', 'probe']);
});

it('the image is deployed by its digest only', async () => {
  await upgrade();
  const images = operator.calls.flatMap(({ tool, args }) =>
    tool === 'gcloud' ? args.filter((arg) => arg.startsWith('--image=')) : [],
  );
  expect(images.length).toBeGreaterThanOrEqual(8);
  for (const image of images) expect(image).toMatch(/@sha256:[0-9a-f]{64}$/);
});

/** What stops a second deployment before any traffic moves, at which step, and in which words. */
const BEFORE: readonly [string, (world: World) => void, string, RegExp][] = [
  [
    'a missing API',
    (world) => {
      world.apis = world.apis.filter((api) => api !== 'sqladmin.googleapis.com');
    },
    'preflight',
    /sqladmin\.googleapis\.com is not enabled[\s\S]*infra\/bootstrap\.sh/,
  ],
  [
    'a project that is not there',
    (world) => {
      world.alive = false;
    },
    'preflight',
    /project my-relay-123 is not there[\s\S]*right one/,
  ],
  [
    'an account that an earlier bootstrap did not make',
    (world) => {
      world.accounts = world.accounts.filter((account) => !account.startsWith('distrise-probe@'));
    },
    'preflight',
    /account distrise-probe is not there[\s\S]*infra\/bootstrap\.sh/,
  ],
  [
    'a missing state bucket',
    (world) => {
      world.buckets = [];
    },
    'preflight',
    /bucket for Terraform's state[\s\S]*infra\/bootstrap\.sh/,
  ],
  [
    'no permission to push the image',
    (world) => {
      world.faults.push(failing('docker', '^push', 'denied: Permission denied'));
    },
    'image',
    /could not be pushed[\s\S]*roles/,
  ],
  [
    'a failing test',
    (world) => {
      world.faults.push(failing('npm', 'test:unit', '1 failed'));
    },
    'test',
    /A test fails/,
  ],
  [
    'a quota',
    (world) => {
      world.faults.push(failing('terraform', '^apply(?!.*-target)', 'Quota CPUS exceeded'));
    },
    'terraform',
    /Quota CPUS exceeded[\s\S]*iam-admin\/quotas/,
  ],
  [
    'a lock that another run left behind',
    (world) => {
      world.faults.push(failing('terraform', '^apply', 'Error acquiring the state lock'));
    },
    'tables',
    /state lock[\s\S]*gcloud storage rm gs:\/\/my-relay-123-distrise-state\/distrise\/default\.tflock/,
  ],
  [
    'a failing migration',
    (world) => {
      world.faults.push(failing('gcloud', 'jobs execute migrate', 'the execution failed'));
    },
    'migrate',
    /migration failed[\s\S]*gcloud logging read/,
  ],
];
it.each(BEFORE)(
  '%s stops an upgrade before traffic moves, and says what to do',
  async (_, breakIt, step, words) => {
    const before = operator.world;
    operator.change(breakIt);
    const { code, steps, text } = await operator.submit();
    expect(code).not.toBe(0);
    expect(steps.at(-1)).toBe(step);
    expect(text).toMatch(words);
    expect(text).toMatch(/serves on/);
    expect(traffic('relay')).toEqual(traffic('relay', before));
    expect(traffic('store')).toEqual(traffic('store', before));
    // What was missing is there again, and so the same command goes through.
    operator.change((world) => {
      const { alive, apis, accounts, buckets } = before;
      Object.assign(world, { alive, apis, accounts, buckets, faults: [] });
    });
    expect((await operator.submit()).code).toBe(0);
    expect(traffic('relay')).not.toEqual(traffic('relay', before));
  },
);

/** What takes a release back by itself, and in which words. */
const BACK: readonly [string, Fault, RegExp][] = [
  [
    'a store that does not start',
    failing('gcloud', 'run deploy store', 'Revision is not ready'),
    /store does not start with the new image/,
  ],
  [
    'a relay that does not start',
    failing('gcloud', 'run deploy relay', 'Revision is not ready'),
    /relay does not start with the new image/i,
  ],
  [
    'a failing conformance check',
    failing('gcloud', 'run jobs deploy check', 'the execution failed'),
    /does not do what it must/,
  ],
  [
    'a bad error rate at 10 %',
    failing('gcloud', 'run jobs deploy health', 'more than 1 % fail through our fault'),
    /does worse at 10 % of the traffic/,
  ],
  [
    'traffic that cannot be moved to 50 %',
    failing('gcloud', 'to-revisions=relay-00004-abc=50', 'ABORTED'),
    /could not be moved to 50 %/,
  ],
];
it.each(BACK)('%s takes relay and store back, and nothing later runs', async (_, fault, words) => {
  const { code, steps, text } = await upgrade(fault);
  expect(code).not.toBe(0);
  expect(steps.at(-1)).toBe('release');
  expect(text).toMatch(words);
  expect(text).toContain('All traffic is on relay-00002-abc again.');
  for (const service of ['relay', 'store', 'fetch', 'upkeep', 'probe']) {
    expect(traffic(service)).toEqual({ [`${service}-00002-abc`]: 100 });
  }
  expect(tags('relay')['stable']).toBe('relay-00002-abc');
  expect(
    operator.calls.filter(({ args }) => args.join(' ').startsWith('run deploy fetch')),
  ).toHaveLength(0);
});

it('a release that was taken back goes through when its cause is gone', async () => {
  await upgrade(failing('gcloud', 'run jobs deploy health', 'too slow', 1));
  const { code } = await operator.submit();
  expect(code).toBe(0);
  expect(traffic('relay')).toEqual({ 'relay-00006-abc': 100 });
  expect(tags('relay')).toEqual({ stable: 'relay-00006-abc', previous: 'relay-00002-abc' });
});

it('where going back fails too, it says with which command a person does it', async () => {
  operator.change((world) => {
    world.faults = [
      failing('gcloud', 'run jobs deploy health', 'bad'),
      { ...failing('gcloud', 'relay .*=relay-00002-abc=100', 'away'), step: 'release' },
    ];
  });
  const { code, text } = await operator.submit();
  expect(code).not.toBe(0);
  const [command = ''] = /infra\/rollback\.sh .*--to=held/.exec(text) ?? [];
  operator.change((world) => {
    world.faults = [];
  });
  expect(traffic('relay')).toEqual({ 'relay-00004-abc': 10, 'relay-00002-abc': 90 });
  expect((await operator.type(command)).code).toBe(0);
  expect(traffic('relay')).toEqual({ 'relay-00002-abc': 100 });
});

const BACK_COMMAND = 'infra/rollback.sh --project=my-relay-123 --region=us-central1';

it('a version that somebody went back from gets no traffic from a run that dies after it', async () => {
  await upgrade();
  expect((await operator.type(BACK_COMMAND)).code).toBe(0);
  expect(traffic('relay')).toEqual({ 'relay-00002-abc': 100 });
  expect(tags('relay')['stable']).toBe('relay-00004-abc');
  // The next one dies where the traffic is split.
  const split = 'relay-00006-abc=10,relay-00002-abc=90';
  const probing = await Operator.start(operator.world);
  await probing.submit();
  const dies = probing.calls.findIndex(({ args }) => args.join(' ').includes(split)) + 1;
  await probing.close();
  operator.changeVersion();
  await operator.submit({}, dies);
  expect(traffic('relay')).toEqual({ 'relay-00006-abc': 10, 'relay-00002-abc': 90 });
  const { text } = await upgrade(failing('gcloud', 'run deploy store', 'no'));
  expect(text).toContain('relay stays on relay-00002-abc');
  expect(traffic('relay')).toEqual({ 'relay-00002-abc': 100 });
});

it('the same version once more leaves the version before as the one to go back to', async () => {
  await upgrade();
  expect((await operator.submit()).code).toBe(0);
  expect(tags('relay')).toEqual({ stable: 'relay-00006-abc', previous: 'relay-00002-abc' });
  expect((await operator.type(BACK_COMMAND)).code).toBe(0);
  for (const service of ['store', 'relay', 'fetch', 'upkeep', 'probe']) {
    expect(traffic(service)).toEqual({ [`${service}-00002-abc`]: 100 });
  }
});

it('nobody goes back under a build that still leads traffic', async () => {
  await upgrade();
  operator.change((world) => {
    const url = 'gs://my-relay-123-distrise-state/deployment.lock';
    world.locks[url] = { generation: 1, text: 'build-9 global 2026-11-25T10:00:00Z' };
    world.builds['build-9'] = 'WORKING';
  });
  const refused = await operator.type(BACK_COMMAND);
  expect(refused.code).toBe(1);
  expect(refused.text).toContain('gcloud builds cancel build-9 --project=my-relay-123');
  expect(traffic('relay')).toEqual({ 'relay-00004-abc': 100 });
  operator.change(({ builds }) => {
    builds['build-9'] = 'CANCELLED';
  });
  expect((await operator.type(BACK_COMMAND)).code).toBe(0);
  expect(traffic('relay')).toEqual({ 'relay-00002-abc': 100 });
});

it('a release that was taken back leaves no way to its revision, and says who is still on it', async () => {
  const { text } = await upgrade(failing('gcloud', 'run jobs deploy health', 'bad'));
  expect(text).toContain('Who connected to the new revision meanwhile stays there');
  expect(tags('relay')['candidate']).toBeUndefined();
  expect(tags('store')['candidate']).toBeUndefined();
});

it('a run that died between two shifts is healed by the next one', async () => {
  await upgrade();
  operator.change(({ services: { relay } }) => {
    const kept = relay?.traffic.filter(({ percent }) => percent === undefined) ?? [];
    const split = [
      { revision: 'relay-00002-abc', percent: 60 },
      { revision: 'relay-00004-abc', percent: 40 },
    ];
    if (relay !== undefined) relay.traffic = [...split, ...kept];
  });
  const { code, text } = await operator.submit();
  expect(code).toBe(0);
  expect(text).toContain('relay stays on relay-00004-abc');
  expect(traffic('relay')).toEqual({ 'relay-00006-abc': 100 });
});

it('a first deployment that died after Terraform made the services goes on', async () => {
  operator.reset(ready);
  operator.change((world) => {
    world.faults.push(failing('gcloud', '^run deploy relay', 'not ready', 1));
  });
  const first = await operator.submit();
  expect(first.steps.at(-1)).toBe('release');
  const second = await operator.submit();
  expect(second.code).toBe(0);
  expect(traffic('relay')).toEqual({ 'relay-00003-abc': 100 });
  expect(operator.world.alerts).toBe(true);
});

it('a function that fails after the release leaves relay and store on the new version', async () => {
  const { code, text } = await upgrade(failing('gcloud', 'run deploy fetch', 'not ready'));
  expect(code).not.toBe(0);
  expect(text).toMatch(
    /fetch does not start with the new image[\s\S]*Relay and store have the new image and serve/,
  );
  expect(traffic('relay')).toEqual({ 'relay-00004-abc': 100 });
  expect(traffic('fetch')).toEqual({ 'fetch-00002-abc': 100 });
});

it('functions that do not do well are taken back, and relay and store stay', async () => {
  const { code, text } = await upgrade(
    failing('gcloud', 'run jobs deploy health .*,fetch-00004-abc,upkeep-00004-abc', 'bad'),
  );
  expect(code).not.toBe(0);
  expect(text).toContain('fetch, upkeep and probe are on the version before again.');
  expect(traffic('relay')).toEqual({ 'relay-00004-abc': 100 });
  for (const service of ['fetch', 'upkeep', 'probe']) {
    expect(traffic(service)).toEqual({ [`${service}-00002-abc`]: 100 });
  }
});

const calls = () => operator.calls.map(({ tool, args }) => `${tool} ${args.join(' ')}`);

it('each share of the traffic is checked before it is judged, so that a relay that sleeps has something to write', async () => {
  await upgrade();
  const of = ['jobs deploy check', 'jobs deploy health', 'update-traffic relay .*--to-revisions'];
  const course = calls().flatMap((call) =>
    of.flatMap((what, index) => (new RegExp(what).test(call) ? ['chs'[index]] : [])),
  );
  // The hold, the check without traffic, then 10, 50 and 100 %, and the functions.
  expect(course.join('')).toBe(`sc${'sch'.repeat(3)}h`);
});

it('what Terraform makes gets no traffic before it is checked, also where all went to the latest', async () => {
  operator.change(({ services: { relay } }) => {
    const whole = { revision: 'relay-00002-abc', percent: 100, latest: true } as const;
    if (relay !== undefined) relay.traffic = [whole, ...relay.traffic.slice(1)];
  });
  await upgrade();
  const { calls: all } = operator;
  const checked = all.findIndex(({ args }) => args.join(' ').startsWith('run jobs deploy check'));
  const made = all.findIndex(
    ({ step, tool, args }) => step === 'terraform' && tool === 'terraform' && args[0] === 'apply',
  );
  expect(made).toBeGreaterThan(0);
  const served = new Set(all.slice(0, checked).flatMap(({ relay }) => relay ?? []));
  expect([...served]).toEqual(['relay-00002-abc']);
  expect(Object.keys(operator.world.services['relay']?.revisions ?? {})).toContain(
    'relay-00003-abc',
  );
});

it('a revision of the new environment that does not start ends the build with all traffic where it was', async () => {
  const { code, steps } = await upgrade(failing('terraform', '^apply(?!.*-target)', 'not ready'));
  expect([code, steps.at(-1)]).toEqual([1, 'terraform']);
  expect(traffic('relay')).toEqual({ 'relay-00002-abc': 100 });
});

it('a relay that does not start is not mistaken for the candidate of an earlier run', async () => {
  operator.change(({ faults }) => {
    faults.push(failing('gcloud', 'update-traffic relay .*--remove-tags=candidate$', 'away', 1));
  });
  await upgrade(failing('gcloud', 'run jobs deploy health', 'too slow', 1));
  expect(tags('relay')['candidate']).toBe('relay-00004-abc');
  const { code } = await upgrade(failing('gcloud', 'run deploy relay', 'not ready'));
  expect(code).not.toBe(0);
  expect(traffic('relay')).toEqual({ 'relay-00002-abc': 100 });
});

it('a store that an earlier run died upon is no version to go back to', async () => {
  await upgrade();
  operator.change(({ services: { store } }) => {
    if (store === undefined) return;
    store.revisions['store-00005-abc'] = 'unchecked';
    store.traffic = [
      { revision: 'store-00005-abc', percent: 100 },
      { revision: 'store-00005-abc', tag: 'candidate' },
      { revision: 'store-00004-abc', tag: 'stable' },
    ];
  });
  const { text } = await upgrade(failing('gcloud', 'run jobs deploy check', 'no'));
  expect(text).toContain('store stays on store-00004-abc');
  expect(traffic('store')).toEqual({ 'store-00004-abc': 100 });
});

it('traffic that has moved although gcloud says otherwise is no failure', async () => {
  const { code, text } = await upgrade({
    ...failing('gcloud', 'update-traffic relay .*--to-revisions', 'a newer revision is not ready'),
    done: true,
  });
  expect(code).toBe(0);
  expect(text).toContain('relay has moved all the same: relay-00004-abc=50,relay-00002-abc=50');
});

/** What fails once relay and store are through, and must not pass for a good end. */
it.each([
  ['a function that does not start', 'run deploy upkeep', /upkeep does not start/],
  [
    'traffic of a function that does not move',
    'update-traffic fetch .*--to-rev.*00004',
    /traffic of fetch/,
  ],
  ['traffic of a function that cannot be read', 'services describe probe', /probe does not start/],
  ['tags that cannot be set', 'update-traffic fetch .*--update-tags', /fetch could not be tagged/],
  ['worker pools that cannot be listed', 'worker-pools list', /worker pools could not be listed/],
])('%s ends the build as failed', async (_, call, words) => {
  const { code, text } = await upgrade({ ...failing('gcloud', call, 'no'), step: 'release' });
  expect(code).not.toBe(0);
  expect(text).toMatch(words);
  expect(text).toContain('Relay and store have the new image and serve');
  expect(traffic('relay')).toEqual({ 'relay-00004-abc': 100 });
});

describe('the worker follow', () => {
  const instances = () => operator.world.follow?.traffic.map(({ revision }) => revision);
  beforeEach(async () => {
    operator.reset(ready);
    await operator.type('infra/bootstrap.sh --project=my-relay-123 --profile=public --yes');
    expect((await operator.submit()).code).toBe(0);
    expect(instances()).toEqual(['follow-00001-abc']);
  });

  it('stays on its revision until everything else is through', async () => {
    operator.change(({ faults, follow }) => {
      faults.push(failing('gcloud', 'deploy fetch', 'no', 1));
      // As Terraform leaves it where a first deployment dies.
      const whole = { revision: 'follow-00001-abc', percent: 100, latest: true } as const;
      if (follow !== undefined) follow.traffic = [whole];
    });
    expect((await operator.submit()).code).not.toBe(0);
    expect(Object.keys(operator.world.follow?.revisions ?? {})).toHaveLength(2);
    expect(instances()).toEqual(['follow-00001-abc']);
    expect((await operator.submit()).code).toBe(0);
    expect(instances()).toEqual(['follow-00003-abc']);
  });

  it('goes back with the services', async () => {
    operator.changeVersion();
    expect((await operator.submit()).code).toBe(0);
    expect(instances()).toEqual(['follow-00002-abc']);
    const back = 'infra/rollback.sh --project=my-relay-123 --region=us-central1';
    const { code, text } = await operator.type(back);
    expect({ code, text }).toMatchObject({ code: 0 });
    expect(instances()).toEqual(['follow-00001-abc']);
    expect(traffic('fetch')).toEqual({ 'fetch-00002-abc': 100 });
    expect((await operator.type(`${back} --to=stable`)).code).toBe(0);
    expect(instances()).toEqual(['follow-00002-abc']);
  });

  it('is not taken for absent where the pools cannot be listed', async () => {
    const denied = failing('gcloud', 'pools list', 'denied');
    operator.change((world) => {
      world.faults = ['hold', ''].map((step) => ({ ...denied, step }));
    });
    expect((await operator.submit()).steps.at(-1)).toBe('hold');
    const { code, text } = await operator.type(
      'infra/rollback.sh --project=my-relay-123 --region=us-central1 --to=stable',
    );
    expect([code, text]).toEqual([1, expect.stringMatching(/Not moved: follow/)]);
  });
});
