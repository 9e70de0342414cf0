import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { httpRequestOf } from '../cloud/http-request.ts';
import type { Journey } from '../cloud/journey.ts';
import type { Log } from '../cloud/log.ts';
import type { Metrics } from '../cloud/metrics/registry.ts';
import { traceOfHeaders } from '../cloud/trace.ts';
import type { Verifier } from '../nostr/verify.ts';
import { policyOf } from '../policy/rules.ts';
import { writeRulesOf } from '../policy/variables.ts';
import { Admission } from './admission.ts';
import type { RelayConfiguration } from './configuration.ts';
import { type Client, Connection, type ConnectionParts } from './connection.ts';
import { Connections } from './connections.ts';
import type { Engine } from './engine-types.ts';
import { EventMeter } from './event-meter.ts';
import { answerHttp, type HttpAnswer, pathOf, plain, RELAY_PATH } from './http-answers.ts';
import { connectionCountsOf, connectionLimitsOf } from './limits.ts';
import { SendBudget } from './outbox.ts';
import { Rates } from './rates.ts';
import { ReconciliationDesk } from './reconciliation-desk.ts';
import type { Terms } from './terms.ts';
import { TrafficMeter } from './traffic-meter.ts';
import { addressOfClient, addressSeen } from './visitor.ts';

/** What the server stands on. */
export interface ServerParts {
  readonly engine: Engine;
  readonly verifier: Verifier;
  readonly terms: Terms;
  /** A name of this process, by which clients can tell that they speak to two. */
  readonly instance: string;
  readonly journey: Journey;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Unix time in milliseconds. */
  readonly nowMs: () => number;
  /** Milliseconds of a clock that never steps back. */
  readonly monotonicMs: () => number;
}

/**
 * Messages up to this many times the allowed size are read, so that they can be answered by name;
 * larger ones end the connection with close code 1009.
 */
const OVERSIZE_READ_FACTOR = 4;

/** Frames of one message; clients send one, some cut long messages into blocks of 16 KiB or so. */
const FRAGMENTS_MAX = 1_024;

/** Pieces in which an unfinished message may have come in: each costs memory, however short. */
const CHUNKS_MAX = 8_192;

/** A client that needs longer than this for the head of its request is none. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;

/** Longer than the minute that load balancers keep an idle connection for reuse. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** Sockets above the cap on connections that are taken at all: for plain HTTP and refusals. */
const HTTP_SOCKETS = 256;

/**
 * Cloud Run gives 10 s from SIGTERM: over these the ends of connections are spread, then each has
 * time for its OKs and CLOSEDs, then for close frames to cross.
 */
const FINISH_SPREAD_MS = 3_000;
const FINISH_TIMEOUT_MS = 2_500;
const CLOSE_TIMEOUT_MS = 1_000;

/** The relay's HTTP and WebSocket server. */
export class RelayServer {
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #configuration: RelayConfiguration;
  readonly #parts: ServerParts;
  readonly #connections: Connections;
  readonly #connectionParts: ConnectionParts;
  #stopping = false;

  constructor(configuration: RelayConfiguration, parts: ServerParts) {
    this.#configuration = configuration;
    this.#parts = parts;
    this.#connections = new Connections(connectionCountsOf(configuration), parts.monotonicMs);
    this.#connectionParts = connectionPartsOf(configuration, parts);
    parts.metrics.watch('websocket_connections', {}, () => this.#connections.size);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Each connection answers its pings itself.
      autoPong: false,
      maxPayload: configuration.RELAY_MESSAGE_BYTES_MAX * OVERSIZE_READ_FACTOR,
      maxFragments: FRAGMENTS_MAX,
      maxBufferedChunks: CHUNKS_MAX,
      perMessageDeflate: configuration.RELAY_COMPRESSION === 'on' ? { threshold: 1_024 } : false,
    });
    this.#webSockets.on('headers', (headers) => {
      headers.push(`x-distrise-instance: ${parts.instance}`);
    });
    this.#http = createServer({
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: 5_000,
      noDelay: true,
      // A wish for another protocol, such as h2c, is ignored, as RFC 9110 lets a server do.
      shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
    });
    this.#http.maxConnections = configuration.RELAY_CONNECTIONS_MAX + HTTP_SOCKETS;
    this.#http.on('request', (request, response) => this.#answer(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** Begins to listen; @returns the port. */
  async listen(port: number, host?: string): Promise<number> {
    this.#http.listen({ port, ...(host === undefined ? {} : { host }) });
    await once(this.#http, 'listening');
    return (this.#http.address() as AddressInfo).port;
  }

  /** WebSocket connections that are open now. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Takes nothing new, lets every connection end politely, then by force. The engine is left to
   * the caller: EVENTs under way need it.
   */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeIdleConnections();
    const why = 'this relay restarts, please connect again';
    await this.#connections.finish(why, FINISH_SPREAD_MS, FINISH_TIMEOUT_MS);
    const end = this.#parts.monotonicMs() + CLOSE_TIMEOUT_MS;
    while (this.#connections.size > 0 && this.#parts.monotonicMs() < end) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#connections.destroy();
    this.#http.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const answer = answerHttp(request, {
      information: this.#parts.terms.now.information,
      address: addressSeen(request, this.#configuration.RELAY_TRUSTED_PROXIES),
      ready: this.#parts.engine.ready && !this.#stopping,
    });
    response.writeHead(answer.status, {
      ...answer.headers,
      ...(answer.status === 204 ? {} : { 'content-length': Buffer.byteLength(answer.body) }),
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Until ws takes over nobody else would hear of a broken connection.
    const ignore = () => undefined;
    socket.on('error', ignore);
    const address = addressOfClient(request, this.#configuration.RELAY_TRUSTED_PROXIES);
    const refusal = this.#refusal(request, address);
    const trace = traceOfHeaders(request.headers);
    const client: Client = {
      connectionId: randomBytes(8).toString('hex'),
      address,
      ...(trace !== undefined && { trace }),
    };
    const { status } = refusal ?? { status: 101 };
    this.#parts.log.debug(refusal === undefined ? 'client connects' : 'client is turned away', {
      ...client,
      httpRequest: httpRequestOf(request, { status, tookMs: 0, remoteIp: address }),
    });
    if (refusal !== undefined) {
      refuseUpgrade(socket, refusal);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('error', ignore);
      this.#connect(webSocket, socket as Socket, client);
    });
  }

  #refusal(request: IncomingMessage, address: string): HttpAnswer | undefined {
    if (pathOf(request) !== RELAY_PATH) {
      return plain(404, `There is no relay here, it is at ${RELAY_PATH}\n`);
    }
    const { traffic } = this.#connectionParts;
    if (this.#stopping) {
      traffic.came('stopping').add();
      return plain(503, 'This relay restarts.\n', { 'retry-after': '1' });
    }
    switch (this.#connections.refusal(address)) {
      case 'full':
        traffic.came('full').add();
        return plain(503, 'This relay has all the connections it can hold.\n', {
          'retry-after': '10',
        });
      case 'too many from this address':
        traffic.came('address').add();
        return plain(429, 'Too many connections from your address.\n', { 'retry-after': '10' });
      default:
        return undefined;
    }
  }

  #connect(webSocket: WebSocket, socket: Socket, client: Client): void {
    const connection = new Connection(webSocket, socket, client, this.#connectionParts);
    this.#connections.add(connection);
    webSocket.on('close', () => this.#connections.remove(connection));
  }
}

function connectionPartsOf(configuration: RelayConfiguration, parts: ServerParts): ConnectionParts {
  const { engine, verifier, terms, journey, log, metrics, nowMs, monotonicMs } = parts;
  const rates =
    configuration.RELAY_RATE_LIMITS === 'on' ? new Rates(terms, monotonicMs, metrics) : undefined;
  const policy = policyOf(writeRulesOf(configuration));
  return {
    engine,
    admission: new Admission({ policy, verifier, rates, terms, nowMs, monotonicMs, metrics }),
    rates,
    budget: new SendBudget(configuration.RELAY_SEND_TOTAL_BYTES_MAX),
    desk: new ReconciliationDesk(configuration.RELAY_NEGENTROPY_TOTAL_ITEMS_MAX),
    limits: connectionLimitsOf(configuration),
    terms,
    journey,
    events: new EventMeter(metrics),
    traffic: new TrafficMeter(metrics),
    log,
    monotonicMs,
  };
}

/** Answers an upgrade request over its bare socket: it has no response object any more. */
function refuseUpgrade(socket: Duplex, { status, headers, body }: HttpAnswer): void {
  const lines = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  // A client that does not close its end is not waited for.
  socket.once('finish', () => socket.destroy());
}
