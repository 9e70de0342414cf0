import type pg from 'pg';

/** The right to do a piece of scheduled work, alone, for a bounded time. */
export interface Lease {
  readonly name: string;
  readonly holder: string;
}

/**
 * Takes a lease for `seconds`, by the database's clock.
 * @returns undefined when somebody else holds it.
 */
export async function takeLease(
  pool: pg.Pool,
  lease: Lease & { readonly seconds: number },
): Promise<Lease | undefined> {
  const { rowCount } = await pool.query({
    name: 'take-lease',
    text: `
      insert into leases (name, holder, until) values ($1, $2, now() + make_interval(secs => $3))
      on conflict (name) do update set holder = excluded.holder, until = excluded.until
      where leases.until < now()`,
    values: [lease.name, lease.holder, lease.seconds],
  });
  return rowCount === 1 ? { name: lease.name, holder: lease.holder } : undefined;
}

/** Gives a lease back; one that ran out and was taken by another is left alone. */
export async function releaseLease(pool: pg.Pool, { name, holder }: Lease): Promise<void> {
  await pool.query('delete from leases where name = $1 and holder = $2', [name, holder]);
}

/**
 * Makes a lease last for `seconds` from now.
 * @returns false when it ran out and somebody else has taken it.
 */
export async function renewLease(
  pool: pg.Pool,
  lease: Lease & { readonly seconds: number },
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'renew-lease',
    text: `
      update leases set until = now() + make_interval(secs => $3) where name = $1 and holder = $2`,
    values: [lease.name, lease.holder, lease.seconds],
  });
  return rowCount === 1;
}

/** Work that runs longer than its lease renews it; one that is killed is soon free for others. */
const HELD_SECONDS = 15;
const RENEW_MS = 5_000;

/**
 * Does work under a lease that is renewed while it runs.
 * @param work gets a signal that says that the lease was lost.
 * @returns undefined when somebody else holds the lease.
 */
export async function withLease<T>(
  pool: pg.Pool,
  lease: Lease,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const held = { ...lease, seconds: HELD_SECONDS };
  if ((await takeLease(pool, held)) === undefined) return undefined;
  const lost = new AbortController();
  const renewing = setInterval(() => {
    renewLease(pool, held).then(
      (ours) => {
        if (!ours) lost.abort(new Error(`the lease "${lease.name}" was lost`));
      },
      // The database is away: whoever takes the lease needs it as well.
      () => undefined,
    );
  }, RENEW_MS);
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(renewing);
    await releaseLease(pool, lease);
  }
}
