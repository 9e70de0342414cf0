import { Operator, readBuild } from '../support/deploy/pipeline.ts';

let operator: Operator;
beforeAll(async () => {
  operator = await Operator.start();
});
afterAll(() => operator.close());

const { steps } = readBuild();
const imageOf = (id: string) => steps.find((step) => step.id === id)?.name ?? '';
const has = async (id: string, shell: string, tool: string) =>
  (await operator.runIn(imageOf(id), shell, ['-c', `command -v ${tool}`])).code === 0;

it('each step runs with what its image holds', async () => {
  for (const { name, entrypoint } of steps) {
    expect((await operator.runIn(name, entrypoint, ['-c', 'exit 0'])).code).toBe(0);
  }
});

it.each([
  ['release', 'bash', 'docker'],
  ['release', 'bash', 'jq'],
  ['release', 'bash', 'node'],
  ['image', 'bash', 'gcloud'],
  ['terraform', 'sh', 'bash'],
  ['terraform', 'sh', 'gcloud'],
  ['test', 'bash', 'gcloud'],
])('the image of the step %s has no %s %s', async (id, shell, tool) => {
  expect(await has(id, shell, 'cat')).toBe(true);
  expect(await has(id, shell, tool)).toBe(false);
});

it('a script that calls what its image does not hold fails', async () => {
  const { code, text } = await operator.runIn(imageOf('release'), 'bash', ['-c', 'docker run x']);
  expect([code, text]).toEqual([127, expect.stringContaining('docker: command not found')]);
});
