import type pg from 'pg';

/** A message that can never be stored, as it came. */
export interface BuriedMessage {
  readonly messageId: string;
  readonly reason: string;
  /** Where the database refused an event: its SQLSTATE. */
  readonly sqlstate: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly data: Buffer;
}

/** Keeps messages for people to look at; one that is there already stays as it is. */
export async function buryMessages(
  pool: pg.Pool,
  messages: readonly BuriedMessage[],
): Promise<void> {
  for (const { messageId, reason, sqlstate, attributes, data } of messages) {
    await pool.query({
      name: 'bury-message',
      text: `
        insert into dead_letters (message_id, reason, sqlstate, attributes, data)
        values ($1, $2, $3, $4, $5) on conflict do nothing`,
      values: [messageId, reason, sqlstate ?? null, JSON.stringify(attributes), data],
    });
  }
}
