import { type AddressInfo, createServer } from 'node:net';
import { checkRelayPorts, findPorts } from '../../../functions/local/ports.ts';

describe('ports', () => {
  it.each(['127.0.0.1', '::'])('that are taken on %s are named', async (host) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
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
