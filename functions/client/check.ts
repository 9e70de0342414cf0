import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { parseRelayAddress } from '../upstream/address.ts';
import { connect } from '../upstream/connection.ts';
import { readInformation } from '../upstream/information.ts';
import { walk } from '../upstream/walk.ts';
import { probeEvents } from '../upstream/walk-events.ts';
import { EXIT, EXIT_HELP, usageFailure } from './exit.ts';
import { Beside } from './instances.ts';
import { readSecretKey } from './keys.ts';
import { LineOutput } from './output.ts';
import { type Finding, provePromises } from './promises.ts';
import { readSeconds } from './relay-option.ts';
import type { Surroundings } from './surroundings.ts';

const HELP = `
Does what clients do, over two connections, to two instances where the relay has them and names
them: sees an event arrive live, publishes one, finds it, deletes it and finds it gone. What a relay's
rules on writing refuse is left out (-) where its NIP-11 document says restricted_writes. Then holds the relay to its NIP-11 document: the limits that it names
are those that it enforces, and the NIPs that it names are spoken. Publishes as the key in
DISTRISE_SECRET_KEY or --key-file, or as a new one, and marks its events with ["t","distrise-probe"].
${EXIT_HELP}`;

/** The steps of the walk in the words of the report. */
const STEPS = {
  open: 'opens a connection',
  live: 'delivers live to another connection',
  write: 'takes an event',
  read: 'finds it on another connection',
  delete: 'deletes it, and it is gone',
} as const;

interface CheckOptions {
  readonly keyFile?: string;
  readonly timeout: number;
  readonly json?: boolean;
}

/** `check`: whether a relay does what it must and what it says; for a new version before it serves. */
export function addCheck(
  program: Command,
  surroundings: Surroundings,
  end: (code: number) => void,
): void {
  program
    .command('check')
    .description('whether a relay does what clients need, and what its NIP-11 document says')
    .argument('<url>', 'address of the relay')
    .option('--key-file <path>', 'secret key to publish as')
    .option('--timeout <seconds>', 'how long each step may take', readSeconds, 20)
    .option('--json', 'one JSON object for each finding')
    .addHelpText('after', HELP)
    .action(async (url: string, options: CheckOptions) => {
      const address = parseRelayAddress(url);
      if (!address.ok) throw usageFailure(address.reason);
      const secret = await keyOf(options, surroundings);
      end(await check(address.value, secret, options, surroundings));
    });
}

async function keyOf(options: CheckOptions, surroundings: Surroundings): Promise<Uint8Array> {
  const given = options.keyFile !== undefined || surroundings.env['DISTRISE_SECRET_KEY'];
  return given ? await readSecretKey(options.keyFile, surroundings) : generateSecretKey();
}

async function check(
  address: URL,
  secret: Uint8Array,
  { timeout, json }: CheckOptions,
  { stdout, nowSeconds }: Surroundings,
): Promise<number> {
  const out = new LineOutput(stdout);
  let failed = 0;
  const report = async (finding: Finding): Promise<void> => {
    if (!finding.ok) failed += 1;
    const { ok, tried = true, name, detail } = finding;
    const sign = !ok ? 'FAILED' : tried ? 'ok    ' : '-     ';
    await out.write(
      json
        ? `${JSON.stringify(finding)}\n`
        : `${sign} ${name}${detail === '' ? '' : `: ${detail}`}\n`,
    );
    await out.flush();
  };
  const timeoutMs = timeout * 1_000;
  const limits = {
    handshakeTimeoutMs: timeoutMs,
    publishTimeoutMs: timeoutMs,
    quietTimeoutMs: timeoutMs,
    // A relay that names no bound may be asked for one more than usual.
    subscriptionsMax: 10_000,
  };
  const open = () => connect(address.href, { limits });
  const beside = new Beside(open);
  const events = probeEvents(secret, nowSeconds() * 1_000, randomUUID());
  const { times, untried, failure } = await walk(events, timeoutMs, {
    connect: open,
    connectBeside: (first) => beside.connect(first),
    async saysRestricted() {
      const document = await readInformation(address, { timeoutMs });
      return document.ok && document.value.restrictedWrites === true;
    },
    monotonicMs: () => performance.now(),
    pause,
  });
  for (const [step, ms] of Object.entries(times) as [keyof typeof STEPS, number][]) {
    await report({ ok: true, name: STEPS[step], detail: `${Math.round(ms)} ms` });
  }
  for (const step of untried?.steps ?? []) {
    const detail = `${untried?.reason} (written as ${getPublicKey(secret)})`;
    await report({ ok: true, tried: false, name: STEPS[step], detail });
  }
  if (failure !== undefined) {
    await report({ ok: false, name: STEPS[failure.step], detail: failure.reason });
    if (failure.step === 'open') return EXIT.unreachable;
  }
  await report(beside.finding());
  const leftOut =
    untried === undefined ? undefined : await whyUntried(untried.reason, address, timeoutMs);
  for await (const finding of provePromises(address, { open, timeoutMs })) await report(finding);
  // Last, and by itself: a relay whose writes nobody tried must not look like one that takes them.
  if (leftOut !== undefined && !json) {
    await out.write(`NOT TRIED: writing (${leftOut})\n`);
    await out.flush();
  }
  return failed > 0 ? EXIT.refused : EXIT.done;
}

/** Its document says where the budget is the cause; else the relay's own words do. */
async function whyUntried(reason: string, address: URL, timeoutMs: number): Promise<string> {
  const document = await readInformation(address, { timeoutMs });
  const byBudget = document.ok && document.value.readOnlyByBudget === true;
  return byBudget ? `read-only by its budget: ${reason}` : `its rules: ${reason}`;
}
