import type pg from 'pg';

/** An instance says that it lives and reads this subscription. */
export async function heartbeat(pool: pg.Pool, subscription: string): Promise<void> {
  await pool.query({
    name: 'heartbeat',
    text: `
      insert into relay_instances (subscription) values ($1)
      on conflict (subscription) do update set seen_at = now()`,
    values: [subscription],
  });
}

/**
 * Of the subscriptions that exist, those whose instance has been silent for `silentSeconds`. One
 * that was never heard of is noted now and so gets that time too. Rows of subscriptions that no
 * longer exist are forgotten.
 */
export async function silentInstances(
  pool: pg.Pool,
  existing: readonly string[],
  silentSeconds: number,
): Promise<string[]> {
  const { rows } = await pool.query<{ subscription: string }>({
    text: `
      with noted as (
        insert into relay_instances (subscription) select unnest($1::text[])
        on conflict do nothing
      ), forgotten as (
        delete from relay_instances where subscription <> all($1::text[])
      )
      select subscription from relay_instances
      where subscription = any($1::text[]) and seen_at < now() - make_interval(secs => $2)`,
    values: [existing, silentSeconds],
  });
  return rows.map(({ subscription }) => subscription);
}

/** The subscription is gone. */
export async function forgetInstance(pool: pg.Pool, subscription: string): Promise<void> {
  await pool.query('delete from relay_instances where subscription = $1', [subscription]);
}
