import { fileURLToPath } from 'node:url';
import { Part, type PartSpec } from '../../../functions/local/part.ts';
import { functionPart } from '../../../functions/local/parts.ts';
import { findPorts } from '../../../functions/local/ports.ts';
import { ListeningHost } from '../../support/local/host.ts';
import { until } from '../../support/until.ts';

const source = fileURLToPath(new URL('../../support/local/function.ts', import.meta.url));

/** How any function is run, but with a stand-in's code. */
const standIn = (port: number): PartSpec => {
  const spec = functionPart('stand-in', process.env, port);
  const args = spec.args.map((arg) => (arg.startsWith('--source=') ? `--source=${source}` : arg));
  return { ...spec, args };
};

const parts: Part[] = [];
/** A part that does not outlive its test, however that ends. */
const makePart = (...given: ConstructorParameters<typeof Part>): Part => {
  const part = new Part(...given);
  parts.push(part);
  return part;
};
afterEach(async () => {
  for (const part of parts.splice(0)) await part.stop([{ signal: 'SIGTERM', waitMs: 2_000 }]);
});

describe('a function under functions-framework', () => {
  it('runs from its TypeScript source, answers this machine only, and stops when told', async () => {
    const [port] = (await findPorts(1)) as [number];
    const host = new ListeningHost();
    const part = makePart(standIn(port), host);
    await part.start();
    const call = (address: string) => fetch(`http://${address}:${port}/`, { method: 'POST' });
    expect((await call('127.0.0.1')).status).toBe(204);
    // Another address of this machine stands for those that other machines see.
    await expect(call('127.0.0.2')).rejects.toThrow('fetch failed');
    await part.stop([{ signal: 'SIGTERM', waitMs: 2_000 }]);
    expect(host.lines).toEqual([]);
  });

  it.each(['store', 'upkeep', 'fetch', 'probe'])(
    '%s: stops at the start when a setting is wrong, and names it',
    async (name) => {
      const [port] = (await findPorts(1)) as [number];
      const host = new ListeningHost();
      const spec = functionPart(name, { ...process.env, LOG_LEVEL: 'loud' }, port);
      await expect(makePart(spec, host).start()).rejects.toThrow();
      expect(host.lines.join('\n')).toMatch(/LOG_LEVEL.*loud/s);
      expect(host.lines.join('\n')).toMatch(/debug, info, warning, error/);
    },
  );

  it('ends when its supervisor is gone', async () => {
    const [port] = (await findPorts(1)) as [number];
    const host = new ListeningHost();
    const part = makePart(standIn(port), host);
    await part.start();
    part.disconnect();
    await until(() => host.ends === 1, { what: 'end of the process' });
  });
});
