import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { accept, type Result, refuse } from '../nostr/result.ts';

/**
 * Keeps connections to addresses that strangers name out of our own network. The look-up hands
 * over only addresses that it has judged, and the connection goes to those: a name that resolves
 * to something else a moment later helps nobody.
 */
export interface AddressGuard {
  /** Judges what an URL says before anything is looked up. */
  judge(url: URL): Result<void>;
  /** For sockets, in place of the system's look-up; fails with a `ForbiddenAddress`. */
  readonly lookup: LookupFunction;
}

export interface GuardOptions {
  /** A switch for tests: 127.0.0.0/8, ::1 and `localhost` are taken as well. */
  readonly allowLoopback?: boolean;
  /** All addresses of a name; the system's resolver by default. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

/** The address is one that must not be talked to. */
export class ForbiddenAddress extends Error {
  override readonly name = 'ForbiddenAddress';
}

/** What is not the open internet (IANA's special-purpose registry), of IPv4. */
const FORBIDDEN_4 = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carriers' NAT
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local, and with it the clouds' metadata servers
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // relays of 6to4
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
] as const;

/** What of 2000::/3 is not; all outside 2000::/3 (mapped, NAT64, fc00, fe80, ff00 …) is refused. */
const FORBIDDEN_6 = [
  ['2001::', 23], // protocol assignments: Teredo, benchmarks, ORCHID
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4, which holds an IPv4 address
  ['3fff::', 20], // documentation
] as const;

/** Names that lead, or can be made to lead, into the network around us. */
const FORBIDDEN_NAMES =
  /(^|\.)(localhost|local|localdomain|internal|intranet|private|corp|home|lan|arpa)$/;

const forbidden = new BlockList();
for (const [net, prefix] of FORBIDDEN_4) forbidden.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of FORBIDDEN_6) forbidden.addSubnet(net, prefix, 'ipv6');
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** True for an address of the open internet, and for no other text. */
export function isOpenAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !forbidden.check(address, 'ipv4');
    case 6:
      // A zone (fe80::1%eth0) names one of our own interfaces.
      return (
        !address.includes('%') &&
        global6.check(address, 'ipv6') &&
        !forbidden.check(address, 'ipv6')
      );
    default:
      return false;
  }
}

const isLoopback = (address: string): boolean =>
  isIP(address) !== 0 && loopback.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');

/** A guard that takes nothing but the open internet. */
export function createGuard(options: GuardOptions = {}): AddressGuard {
  const { allowLoopback = false, resolve = (name) => systemLookup(name, { all: true }) } = options;
  const isAllowed = (address: string): boolean =>
    isOpenAddress(address) || (allowLoopback && isLoopback(address));

  function judgeHost(host: string): Result<void> {
    // URL has made one form of the many that an IPv4 address can be written in.
    const bare = host.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    if (isIP(bare) !== 0) {
      return isAllowed(bare) ? accept(undefined) : refuse(`${bare} is not an open address`);
    }
    const name = bare.toLowerCase();
    if (allowLoopback && name === 'localhost') return accept(undefined);
    // A name without a dot is completed by our own network.
    if (!name.includes('.') || FORBIDDEN_NAMES.test(name)) {
      return refuse(`${name === '' ? 'no name' : name} is not a name of the open internet`);
    }
    return accept(undefined);
  }

  async function resolveJudged(host: string): Promise<readonly LookupAddress[]> {
    const judged = judgeHost(host);
    if (!judged.ok) throw new ForbiddenAddress(judged.reason);
    const addresses = await resolve(host);
    // One bad address condemns the name: whoever mixes them is up to something.
    const bad = addresses.find(({ address }) => !isAllowed(address));
    if (bad !== undefined) {
      throw new ForbiddenAddress(`${host} leads to ${bad.address}, which is not an open address`);
    }
    if (addresses.length === 0) throw new ForbiddenAddress(`${host} leads to no address`);
    return addresses;
  }

  return {
    judge: (url) => judgeHost(url.hostname),
    lookup(host, { all, family }, callback) {
      resolveJudged(host).then(
        (addresses) => {
          const wanted = family === 4 || family === 6 ? family : undefined;
          const fitting = addresses.filter((one) => wanted === undefined || one.family === wanted);
          const [first] = fitting;
          if (first === undefined) callback(new Error(`${host} has no IPv${wanted} address`), '');
          else if (all === true) callback(null, fitting);
          else callback(null, first.address, first.family);
        },
        (error: Error) => callback(error, ''),
      );
    },
  };
}
