import type pg from 'pg';
import type { Metrics } from './registry.ts';

/** Which of a component's pools: the one to the truth, or the one to a read replica. */
export type PoolName = 'primary' | 'replica';

type Callback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

/** Has a pool's connections written, and how long each piece of work waited for one. */
export function watchPool(pool: pg.Pool, metrics: Metrics, name: PoolName): void {
  const gauge = (state: 'active' | 'idle' | 'waiting', read: () => number) =>
    metrics.watch('database_connections', { state, pool: name }, read);
  gauge('active', () => pool.totalCount - pool.idleCount);
  gauge('idle', () => pool.idleCount);
  gauge('waiting', () => pool.waitingCount);
  const waits = metrics.distribution('database_wait', { pool: name });
  // Every way to a connection leads through `connect`; the pool's own queries call it back.
  const connect = pool.connect.bind(pool) as {
    (): Promise<pg.PoolClient>;
    (callback: Callback): void;
  };
  pool.connect = ((callback?: Callback) => {
    const beganMs = performance.now();
    const waited = () => waits.record(performance.now() - beganMs);
    if (callback !== undefined) {
      connect((error, client, done) => {
        waited();
        callback(error, client, done);
      });
      return undefined;
    }
    const connected = connect();
    connected.then(waited, waited);
    return connected;
  }) as typeof pool.connect;
}
