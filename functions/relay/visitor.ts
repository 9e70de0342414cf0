import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** Characters of a host and port; anything else is not repeated to anybody. */
const HOST = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/**
 * Whose allowance a request uses: the client's address, where IPv6 counts by its /64, of which a
 * single machine has all.
 * @param trustedProxies how many proxies in front append to X-Forwarded-For. What stands further
 *   left in it anybody can write.
 */
export function addressOfClient(request: IncomingMessage, trustedProxies: number): string {
  const near = request.socket.remoteAddress ?? '';
  if (trustedProxies === 0) return grouped(near);
  const hops = headerText(request, 'x-forwarded-for').split(',');
  const claimed = hops[hops.length - trustedProxies]?.trim() ?? '';
  return grouped(isIP(claimed) === 0 ? near : claimed);
}

/** The WebSocket address under which this visitor reached the relay. */
export function addressSeen(request: IncomingMessage, trustedProxies: number): string {
  const trusted = trustedProxies > 0;
  const forwarded = trusted ? headerText(request, 'x-forwarded-host') : '';
  const host = [forwarded, headerText(request, 'host')].find((name) => HOST.test(name));
  const [scheme] = headerText(request, 'x-forwarded-proto').split(',');
  const secure = trusted && scheme?.trim() === 'https';
  return `${secure ? 'wss' : 'ws'}://${host ?? 'localhost'}`;
}

function headerText(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value.join(',') : (value ?? '')).trim();
}

function grouped(address: string): string {
  const plain = address.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');
  if (isIP(plain) !== 6) return plain;
  return `${expandIPv6(plain).slice(0, 4).join(':')}::/64`;
}

/** The eight groups of an IPv6 address, without leading zeros. */
function expandIPv6(address: string): string[] {
  const [left = '', right] = address.toLowerCase().split('::');
  const groups = (part: string) => part.split(':').filter((group) => group !== '');
  const before = groups(left);
  const after = groups(right ?? '');
  const missing = right === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(Math.max(0, missing)).fill('0'), ...after].map((group) =>
    group.replace(/^0+(?=.)/, ''),
  );
}
