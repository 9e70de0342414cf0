import type { Socket } from 'node:net';
import { Registry } from '../../../functions/cloud/metrics/registry.ts';
import { TrafficMeter } from '../../../functions/relay/traffic-meter.ts';
import { countOf } from '../../support/metrics.ts';

describe('the bytes of a connection', () => {
  it('count when they have left, and are not taken back when the socket is destroyed', () => {
    const metrics = new Registry('relay');
    const socket = { bytesRead: 10, bytesWritten: 1_000, writableLength: 400 };
    const count = new TrafficMeter(metrics).follow(socket as Socket);
    count();
    expect(countOf(metrics, 'sent_bytes_total')).toBe(600);
    // Node forgets what waited, and whatever of it had been counted as written.
    Object.assign(socket, { bytesRead: 15, bytesWritten: 550, writableLength: 0 });
    count();
    expect(countOf(metrics, 'sent_bytes_total')).toBe(600);
    expect(countOf(metrics, 'received_bytes_total')).toBe(15);
  });
});
