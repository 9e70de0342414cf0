import { PassThrough } from 'node:stream';
import { jest } from '@jest/globals';
import type { SqlConnector } from '../../../functions/cloud/cloud-sql.ts';
import { openLog } from '../../../functions/cloud/log.ts';
import { RenewingConnector } from '../../../functions/cloud/renewing-connector.ts';

const log = openLog(
  { level: 'error', format: 'json', component: 'test' },
  { write: () => undefined },
);

class Made implements SqlConnector {
  closed = false;
  stream = () => new PassThrough();
  close() {
    this.closed = true;
  }
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a connector that is renewed', () => {
  it('gives up on one that hangs, and closes it when it comes late', async () => {
    const late = new Made();
    let come = (_: SqlConnector) => {};
    const connector = new RenewingConnector(() => new Promise((resolve) => (come = resolve)), log);
    const opened = connector.open();
    const refused = expect(opened).rejects.toThrow('no certificate within 10000 ms');
    await jest.advanceTimersByTimeAsync(10_000);
    await refused;
    come(late);
    await jest.advanceTimersByTimeAsync(0);
    expect(late.closed).toBe(true);
  });

  it('is renewed at most every 30 s', async () => {
    const made: Made[] = [];
    const open = async () => {
      const next = new Made();
      made.push(next);
      return next;
    };
    const connector = new RenewingConnector(open, log);
    await connector.open();
    await connector.renew();
    await connector.renew();
    expect(made.map(({ closed }) => closed)).toEqual([true, false]);
    await jest.advanceTimersByTimeAsync(30_000);
    await connector.renew();
    expect(made.map(({ closed }) => closed)).toEqual([true, true, false]);
  });

  it('says for a second what Google said, and then asks again', async () => {
    let asked = 0;
    const connector = new RenewingConnector(async () => {
      asked += 1;
      if (asked === 1) throw new Error('403');
      return new Made();
    }, log);
    await expect(connector.open()).rejects.toThrow('403');
    await expect(connector.open()).rejects.toThrow('403');
    expect(asked).toBe(1);
    await jest.advanceTimersByTimeAsync(1_000);
    await connector.open();
    expect(asked).toBe(2);
  });

  it('keeps the one that is there where no other can be had', async () => {
    let asked = 0;
    const first = new Made();
    const connector = new RenewingConnector(async () => {
      asked += 1;
      if (asked > 1) throw new Error('403');
      return first;
    }, log);
    await connector.open();
    await expect(connector.renew()).rejects.toThrow('403');
    await connector.renew();
    expect(asked).toBe(2);
    expect(first.closed).toBe(false);
    expect(connector.stream()).toBeDefined();
  });

  it('closes what is opened after its own end', async () => {
    const made = new Made();
    const connector = new RenewingConnector(async () => made, log);
    const opened = connector.open();
    connector.close();
    await opened;
    expect(made.closed).toBe(true);
  });
});
