import { createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import { type Authority, issue, newAuthority } from './certificates.ts';

/**
 * What Google's connector needs of Google, in front of a test's PostgreSQL: the metadata server that
 * hands out tokens, the SQL Admin API that signs certificates for an hour, and the instance's own
 * door on port 3307, which takes those certificates only and logs in whom the token names.
 */

/** The connector knows no other port. */
const INSTANCE_PORT = 3307;
const HOUR_MS = 3_600_000;

/** Where the pieces are, and who may log in. */
export interface CloudSqlOptions {
  readonly instance: `${string}:${string}:${string}`;
  /** The port of the PostgreSQL behind it. */
  readonly postgresPort: number;
  /** The service account, as a database user: without `.gserviceaccount.com`. */
  readonly user: string;
}

export class FakeCloudSql {
  /** Certificates that were signed, newest last. */
  readonly certificates: X509Certificate[] = [];
  /** How often the SQL Admin API was asked, refusals included. */
  asked = 0;
  /** What the SQL Admin API answers instead of its answers, while it is away. */
  outage: number | undefined;
  /** How long the next certificates last, from now. */
  certificateMs = HOUR_MS;
  /** Certificates that are signed at all; after them the SQL Admin API is away. */
  signedMax = Number.POSITIVE_INFINITY;
  readonly #options: CloudSqlOptions;
  readonly #address: string;
  readonly #tokens = new Set<string>();
  /** Fingerprints of the certificates that clients came in with, newest last. */
  readonly shown: string[] = [];
  /** By fingerprint: the certificates that carry a login. */
  readonly #logins = new Set<string>();
  readonly #open = new Set<Socket>();
  readonly #api: Server;
  #authority: Authority = newAuthority('Google Cloud SQL Server CA');
  #door: TlsServer | undefined;

  private constructor(options: CloudSqlOptions) {
    this.#options = options;
    // An address of its own on loopback, where there are several: the port is not ours to choose.
    const [a, b] = randomBytes(2);
    this.#address =
      process.platform === 'linux' ? `127.${((a ?? 0) % 250) | 1}.${b}.7` : '127.0.0.1';
    this.#api = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(options: CloudSqlOptions): Promise<FakeCloudSql> {
    const fake = new FakeCloudSql(options);
    fake.#api.listen(0, '127.0.0.1');
    await once(fake.#api, 'listening');
    await fake.up();
    return fake;
  }

  /** What the process that connects is given. */
  get environment(): Readonly<Record<string, string>> {
    const host = `127.0.0.1:${(this.#api.address() as AddressInfo).port}`;
    return { GCE_METADATA_HOST: host, SQL_ADMIN_ENDPOINT: `http://${host}` };
  }

  /** Opens the instance's door. */
  async up(): Promise<void> {
    const { key, certificate } = this.#serverCertificate();
    const door = createTlsServer(
      {
        key,
        cert: certificate,
        ca: this.#authority.certificate,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
      },
      (socket) => this.#welcome(socket),
    );
    door.on('connection', (socket: Socket) => this.#keep(socket));
    door.on('tlsClientError', () => undefined);
    door.listen(INSTANCE_PORT, this.#address);
    await once(door, 'listening');
    this.#door = door;
  }

  /** Closes it, and all connections with it: a restart, a failover, a maintenance. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#door?.close(resolve));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  /** A new authority for the instance: what was signed before is worth nothing from now on. */
  async rotateAuthority(): Promise<void> {
    await this.down();
    this.#authority = newAuthority('Google Cloud SQL Server CA, rotated');
    await this.up();
  }

  async stop(): Promise<void> {
    await this.down();
    const closed = new Promise((resolve) => this.#api.close(resolve));
    this.#api.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const body = await text(request);
    const answer = path.startsWith('/computeMetadata/')
      ? this.#metadata(path)
      : this.#admin(`${request.method} ${path}`, request.headers.authorization, body);
    response.writeHead(typeof answer === 'number' ? answer : 200, {
      'content-type': 'application/json',
      'metadata-flavor': 'Google',
    });
    response.end(typeof answer === 'number' ? '{}' : JSON.stringify(answer));
  }

  #metadata(path: string): object | number {
    if (path === '/computeMetadata/v1/instance') return {};
    if (!path.endsWith('/service-accounts/default/token')) return 404;
    const token = `ya29.${randomBytes(16).toString('hex')}`;
    this.#tokens.add(token);
    return { access_token: token, expires_in: 3_600, token_type: 'Bearer' };
  }

  #admin(call: string, authorization: string | undefined, body: string): object | number {
    this.asked += 1;
    if (this.outage !== undefined) return this.outage;
    if (this.certificates.length >= this.signedMax) return 503;
    if (!this.#tokens.has(authorization?.replace('Bearer ', '') ?? '')) return 401;
    const [project, region, instance] = this.#options.instance.split(':');
    const path = `/sql/v1beta4/projects/${project}/instances/${instance}`;
    if (call === `GET ${path}/connectSettings`) {
      const expirationTime = new Date(Date.now() + 24 * HOUR_MS).toISOString();
      return {
        region,
        databaseVersion: 'POSTGRES_17',
        serverCaCert: { cert: this.#authority.certificate, expirationTime },
        ipAddresses: [{ type: 'PRIVATE', ipAddress: this.#address }],
      };
    }
    if (call !== `POST ${path}:generateEphemeralCert`) return 404;
    return { ephemeralCert: { cert: this.#sign(JSON.parse(body) as CertificateRequest) } };
  }

  #sign({ public_key, access_token }: CertificateRequest): string {
    const now = Date.now();
    const signed = issue(
      {
        name: 'ephemeral',
        publicKey: createPublicKey(public_key),
        notBefore: new Date(now - 2 * HOUR_MS),
        notAfter: new Date(now + this.certificateMs),
      },
      this.#authority,
    );
    const certificate = new X509Certificate(signed);
    this.certificates.push(certificate);
    if (this.#tokens.has(access_token ?? '')) this.#logins.add(certificate.fingerprint256);
    return signed;
  }

  #serverCertificate(): { key: string; certificate: string } {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [project, , instance] = this.#options.instance.split(':');
    const certificate = issue(
      {
        name: `${project}:${instance}`,
        publicKey: createPublicKey(privateKey),
        notBefore: new Date(Date.now() - HOUR_MS),
        notAfter: new Date(Date.now() + 24 * HOUR_MS),
      },
      this.#authority,
    );
    return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certificate };
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#open.delete(socket));
  }

  /** One client whose certificate is right: who it says it is must be whom the token named. */
  #welcome(client: TLSSocket): void {
    client.on('error', () => undefined);
    client.once('data', (startup) => {
      const user = /\0user\0([^\0]*)\0/.exec(`\0${startup.subarray(8).toString()}`)?.[1] ?? '';
      const certificate = client.getPeerX509Certificate();
      this.shown.push(certificate?.fingerprint256 ?? '');
      const carriesLogin = this.#logins.has(certificate?.fingerprint256 ?? '');
      if (!carriesLogin || user !== this.#options.user) {
        client.end(refusal(`Cloud SQL IAM service account authentication failed for "${user}"`));
        return;
      }
      const server = connect(this.#options.postgresPort, '127.0.0.1');
      this.#keep(server);
      server.on('close', () => client.destroy());
      client.on('close', () => server.destroy());
      server.write(startup);
      client.pipe(server);
      server.pipe(client);
    });
  }
}

interface CertificateRequest {
  readonly public_key: string;
  readonly access_token?: string;
}

/** PostgreSQL's ErrorResponse for a login that is refused. */
function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C28000\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
