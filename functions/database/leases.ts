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
