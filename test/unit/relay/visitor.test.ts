import type { IncomingMessage } from 'node:http';
import { addressOfClient } from '../../../functions/relay/visitor.ts';

const request = (remoteAddress: string, forwarded?: string) =>
  ({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  }) as unknown as IncomingMessage;

describe('whose allowance a request uses', () => {
  it.each<[string, string, string | undefined, number, string]>([
    ['nobody in front', '9.9.9.9', '1.1.1.1', 0, '9.9.9.9'],
    ['one proxy, which appends', '10.0.0.1', 'forged, 1.1.1.1, 2.2.2.2', 1, '2.2.2.2'],
    ['two proxies', '10.0.0.1', '6.6.6.6, 1.1.1.1, 2.2.2.2', 2, '1.1.1.1'],
    ['a proxy that named nobody', '10.0.0.1', undefined, 1, '10.0.0.1'],
    ['fewer names than proxies', '10.0.0.1', '1.1.1.1', 2, '10.0.0.1'],
    ['no address where one should be', '10.0.0.1', '1.1.1.1, unknown', 1, '10.0.0.1'],
    ['IPv4 written as IPv6', '::ffff:9.9.9.9', undefined, 0, '9.9.9.9'],
    ['IPv6, by its network', '2001:db8:0:7::1', undefined, 0, '2001:db8:0:7::/64'],
    ['IPv6 of the same network', '2001:0DB8::0007:1:2:3:4', undefined, 0, '2001:db8:0:7::/64'],
    ['IPv6 on this machine', '::1', undefined, 0, '0:0:0:0::/64'],
    ['IPv6 with a zone', 'fe80::1%eth0', undefined, 0, 'fe80:0:0:0::/64'],
  ])('%s', (_, remote, forwarded, proxies, expected) => {
    expect(addressOfClient(request(remote, forwarded), proxies)).toBe(expected);
  });
});
