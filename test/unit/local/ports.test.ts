import { createServer } from 'node:net';
import { checkRelayPorts, findPorts } from '../../../functions/local/ports.ts';

/** The first of two ports in a row that nobody listens on; other tests take theirs elsewhere. */
async function findNeighbours(): Promise<number> {
  for (;;) {
    const [first = 0] = await findPorts(1);
    const isFree = await checkRelayPorts(first, 2).then(
      () => true,
      () => false,
    );
    if (isFree) return first;
  }
}

describe('ports', () => {
  it.each(['127.0.0.1', '::'])('that are taken on %s are named', async (host) => {
    const port = (await findNeighbours()) + 1;
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    await expect(checkRelayPorts(port, 1)).rejects.toThrow(
      `Port ${port}, on which relay-0 would listen, is already in use`,
    );
    await expect(checkRelayPorts(port - 1, 2)).rejects.toThrow(`Port ${port}`);
    server.close();
  });

  it('for the inner parts are free and differ', async () => {
    const ports = await findPorts(4);
    expect(new Set(ports).size).toBe(4);
    for (const port of ports) await checkRelayPorts(port, 1);
  });
});
