import type { Duplex } from 'node:stream';
import type { PostgresConfiguration } from './configuration.ts';

/** Makes raw connections to one Cloud SQL instance; holds a certificate that can go stale. */
export interface SqlConnector {
  /** A connected socket for one PostgreSQL connection. */
  stream(): Duplex;
  close(): void;
}

/**
 * Google's connector: asks the SQL Admin API where the instance is and for a certificate that logs
 * in the process's own service account.
 * @param refreshIntervalMs how often its own refresh may ask; Google's default is 30 s.
 */
export async function openGoogleConnector(
  configuration: PostgresConfiguration,
  refreshIntervalMs?: number,
): Promise<SqlConnector> {
  // Imported only here: who uses a plain URL never loads it or looks for credentials.
  const { AuthTypes, Connector, IpAddressTypes } = await import(
    '@google-cloud/cloud-sql-connector'
  );
  const { SQL_ADMIN_ENDPOINT } = configuration;
  const connector = new Connector({
    ...(SQL_ADMIN_ENDPOINT === undefined ? {} : { sqlAdminAPIEndpoint: SQL_ADMIN_ENDPOINT }),
  });
  // Where this fails nothing is left to be closed, and close() would reject with nobody to see it.
  const { stream } = await connector.getOptions({
    instanceConnectionName: configuration.INSTANCE_CONNECTION_NAME ?? '',
    ipType: IpAddressTypes[configuration.DATABASE_IP_TYPE],
    authType: AuthTypes.IAM,
    ...(refreshIntervalMs === undefined ? {} : { limitRateInterval: refreshIntervalMs }),
  });
  keepRefreshing(connector);
  return { stream, close: () => connector.close() };
}

/**
 * A refresh in the background that fails before the first connection came to be rejects with nobody
 * to see it, which would end the process; so does one that is under way at close(). Afterwards the
 * connector tries again by itself, which is right from the start: whoever needs a connection hears
 * of the failure from it. There is no option for that in version 1.13.
 */
function keepRefreshing(connector: object): void {
  const instances = Reflect.get(connector, 'instances') as ReadonlyMap<string, Cached> | undefined;
  for (const { instance } of instances?.values() ?? []) instance?.setEstablishedConnection?.();
}

interface Cached {
  readonly instance?: { setEstablishedConnection?(): void };
}
