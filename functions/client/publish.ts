import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Command, InvalidArgumentError } from 'commander';
import { finalizeEvent } from 'nostr-tools/pure';
import { type NostrEvent, parseEvent } from '../nostr/event.ts';
import { type Connection, connect } from '../upstream/connection.ts';
import { reasonOf, UpstreamFailure } from '../upstream/failure.ts';
import type { PublishResult } from '../upstream/publish-ledger.ts';
import { parseJsonLine } from './event-line.ts';
import { CommandFailure, EXIT, EXIT_HELP, usageFailure } from './exit.ts';
import { gather, readKind, readTime } from './filter-options.ts';
import { openInput } from './input.ts';
import { readSecretKey } from './keys.ts';
import { readLines } from './lines.ts';
import { LineOutput } from './output.ts';
import { addRelayOption } from './relay-option.ts';
import { type EndWith, type Surroundings, tell } from './surroundings.ts';

interface PublishOptions {
  readonly relay: string;
  readonly events?: boolean;
  readonly kind?: number;
  readonly tag?: string[][];
  readonly createdAt?: string;
  readonly contentFile?: string;
  readonly keyFile?: string;
  readonly json?: boolean;
}

/** Events under way at a time: enough to hide the round trip, little enough to stop early. */
const WINDOW = 50;

const HELP = `
Text is the arguments joined by spaces, or stdin where the argument is "-". With --events each
argument, or each line of stdin, is one event in JSON: sent as it is where it has a signature,
else filled up (created_at, kind, tags, content) and signed.

Examples:
  distrise publish --key-file ~/.nostr-key "hello world"
  echo "from a pipe" | distrise publish -
  distrise publish --kind 30023 --tag d=first --tag 'title=My page' --content-file page.md
  distrise publish --tag '["e","<id>","wss://relay.example","reply"]' "an answer"
  distrise publish --events - < events.jsonl

The key comes from --key-file or DISTRISE_SECRET_KEY (hex or nsec), never from the command line.
One line comes out for each event: its id, "accepted" or "refused", and the relay's words.
${EXIT_HELP}`;

/** `publish`: signs and sends. */
export function addPublish(program: Command, surroundings: Surroundings, end: EndWith): void {
  addRelayOption(program.command('publish'), surroundings)
    .description('sign and send an event, or send ready ones')
    .argument('[text...]', 'the content; "-" reads it from stdin')
    .option('--events', 'the arguments or the lines of stdin are events in JSON')
    .option('--kind <kind>', 'kind (default 1)', readKind)
    .option('--tag <tag>', 'name=value, or a JSON array of strings (repeatable)', gather(readTag))
    .option('--created-at <time>', 'Unix seconds, ISO 8601 or an age like 2h (default now)')
    .option('--content-file <file>', 'take the content from a file, as it is')
    .option('--key-file <file>', 'file that holds the secret key (hex or nsec)')
    .option('--json', 'print the results as JSON lines')
    .addHelpText('after', HELP)
    .action(async (words: string[], options: PublishOptions) =>
      end(await publish(words, options, surroundings)),
    );
}

function readTag(text: string): string[] {
  if (text.startsWith('[')) {
    try {
      const tag: unknown = JSON.parse(text);
      if (Array.isArray(tag) && tag.length > 0 && tag.every((part) => typeof part === 'string')) {
        return tag;
      }
    } catch {
      // Told below, like every other array that is no tag.
    }
    throw new InvalidArgumentError('Wanted: a JSON array of strings.');
  }
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('Wanted: name=value.');
  return [text.slice(0, equals), text.slice(equals + 1)];
}

async function publish(
  words: readonly string[],
  options: PublishOptions,
  surroundings: Surroundings,
): Promise<number> {
  // All that can be wrong on our side is found before a connection is made.
  const events =
    options.events === true
      ? readyEvents(words, options, surroundings)
      : [await composed(words, options, surroundings)];
  let connection: Connection;
  try {
    connection = await connect(options.relay, {
      signal: surroundings.signal,
      verifier: 'none',
      onNotice: (notice) => tell(surroundings, `distrise: notice of the relay: ${notice}`),
    });
  } catch (error) {
    throw asUnreachable(error);
  }
  const onAbort = () => void connection.close();
  surroundings.signal.addEventListener('abort', onAbort);
  try {
    return await sendAll(events, connection, options.json === true, surroundings);
  } finally {
    surroundings.signal.removeEventListener('abort', onAbort);
    await connection.close();
  }
}

async function sendAll(
  events: AsyncIterable<NostrEvent> | Iterable<NostrEvent>,
  connection: Connection,
  json: boolean,
  surroundings: Surroundings,
): Promise<number> {
  const out = new LineOutput(surroundings.stdout);
  const underWay: { id: string; answer: Promise<PublishResult> }[] = [];
  let refused = 0;
  const report = async () => {
    const first = underWay.shift();
    if (first === undefined) return;
    const { accepted, message } = await first.answer.catch((error) => {
      throw asUnreachable(error);
    });
    if (!accepted) refused += 1;
    const { id } = first;
    const words = message === '' ? '' : ` ${message}`;
    await out.write(
      json
        ? `${JSON.stringify({ id, accepted, message })}\n`
        : `${id} ${accepted ? 'accepted' : 'refused'}${words}\n`,
    );
  };
  for await (const event of events) {
    const answer = connection.publish(event);
    // Heard in its turn; until then it must not count as unheard.
    answer.catch(() => {});
    underWay.push({ id: event.id, answer });
    if (underWay.length >= WINDOW) await report();
  }
  while (underWay.length > 0) await report();
  await out.flush();
  return refused > 0 ? EXIT.refused : EXIT.done;
}

function asUnreachable(error: unknown): unknown {
  return error instanceof UpstreamFailure
    ? new CommandFailure(EXIT.unreachable, reasonOf(error), error)
    : error;
}

async function composed(
  words: readonly string[],
  options: PublishOptions,
  surroundings: Surroundings,
): Promise<NostrEvent> {
  const content = await readContent(words, options, surroundings);
  const secret = await readSecretKey(options.keyFile, surroundings);
  return signed({ content }, options, secret, surroundings);
}

async function readContent(
  words: readonly string[],
  { contentFile }: PublishOptions,
  { stdin }: Surroundings,
): Promise<string> {
  if (contentFile !== undefined) {
    if (words.length > 0) throw usageFailure('give either a text or --content-file, not both');
    try {
      return utf8(await readFile(contentFile), contentFile);
    } catch (error) {
      if (error instanceof CommandFailure) throw error;
      throw usageFailure(`cannot read ${contentFile}: ${reasonOf(error)}`);
    }
  }
  if (words.length === 0)
    throw usageFailure('nothing to publish: give a text, "-" or --content-file');
  if (words.length > 1 || words[0] !== '-') return words.join(' ');
  // The line end that echo and editors add is no part of the message.
  return utf8(await readAll(stdin), 'stdin').replace(/\r?\n$/, '');
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}

function utf8(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw usageFailure(`${name} is not UTF-8 text`);
  }
}

async function* readyEvents(
  words: readonly string[],
  options: PublishOptions,
  surroundings: Surroundings,
): AsyncGenerator<NostrEvent> {
  let secret: Uint8Array | undefined;
  for await (const { value, where } of jsonValues(words, surroundings)) {
    const isReady = typeof value === 'object' && value !== null && 'sig' in value;
    if (!isReady) secret ??= await readSecretKey(options.keyFile, surroundings);
    const event =
      secret === undefined || isReady ? value : signed(value, options, secret, surroundings);
    const parsed = parseEvent(event);
    if (!parsed.ok) throw usageFailure(`${where}: ${parsed.reason}`);
    yield parsed.value;
  }
}

async function* jsonValues(
  words: readonly string[],
  { stdin }: Surroundings,
): AsyncGenerator<{ value: unknown; where: string }> {
  if (words.length > 0 && words[0] !== '-') {
    for (const [index, word] of words.entries()) {
      const where = `argument ${index + 1}`;
      const value = parseJsonLine(Buffer.from(word));
      if (!value.ok) throw usageFailure(`${where}: ${value.reason}`);
      yield { value: value.value, where };
    }
    return;
  }
  const input = await openInput('-', stdin);
  for await (const lines of readLines(input.chunks)) {
    for (const { number, bytes } of lines) {
      if (bytes?.length === 0) continue;
      const where = `line ${number}`;
      if (bytes === undefined) throw usageFailure(`${where}: too long`);
      const value = parseJsonLine(bytes);
      if (!value.ok) throw usageFailure(`${where}: ${value.reason}`);
      yield { value: value.value, where };
    }
  }
}

/** Fills up what the template leaves open and signs. Flags win over the template. */
function signed(
  template: unknown,
  options: PublishOptions,
  secret: Uint8Array,
  { nowSeconds }: Surroundings,
): NostrEvent {
  const given = (template ?? {}) as { [K in keyof NostrEvent]?: unknown };
  const createdAt =
    options.createdAt === undefined
      ? (given.created_at ?? nowSeconds())
      : readTime('--created-at', options.createdAt, nowSeconds());
  const unsigned = {
    kind: (options.kind ?? given.kind ?? 1) as number,
    created_at: createdAt as number,
    tags: [...((given.tags ?? []) as string[][]), ...(options.tag ?? [])],
    content: (given.content ?? '') as string,
  };
  // Checked before it is signed, with an id and signature of the right shape.
  const blank = { id: '0'.repeat(64), pubkey: '0'.repeat(64), sig: '0'.repeat(128) };
  const parsed = parseEvent({ ...unsigned, ...blank });
  if (!parsed.ok) throw usageFailure(parsed.reason);
  return finalizeEvent(unsigned, secret);
}
