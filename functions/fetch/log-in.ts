import type { Source } from '../database/sources.ts';
import type { Connection } from '../upstream/connection.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import type { RelayInformation } from '../upstream/information.ts';
import { CHALLENGE_WAIT_MS } from './limits.ts';

/**
 * Logs in (NIP-42) before the first question where the relay's NIP-11 document says that it must
 * be, instead of asking in vain.
 * @throws UpstreamFailure `refused` where we may not or cannot, or where our key is not taken.
 */
export async function logIn(
  connection: Connection,
  { auth }: Pick<Source, 'auth'>,
  information: RelayInformation | undefined,
): Promise<void> {
  if (information?.authRequired !== true) return;
  if (!auth) {
    const reason = 'auth-required: it wants a login (NIP-11), which is not turned on for it';
    throw new UpstreamFailure('refused', reason);
  }
  try {
    const { accepted, message } = await connection.authenticate(CHALLENGE_WAIT_MS);
    if (!accepted) throw new UpstreamFailure('refused', `the relay refused our key: ${message}`);
  } catch (error) {
    // Some send the challenge only after the first question, which answers it then.
    const isSilent = error instanceof UpstreamFailure && error.code === 'timeout';
    if (!isSilent || connection.failure !== undefined) throw error;
  }
}

/** What was noted of a source's NIP-11 document on an earlier visit. */
export const notedInformation = ({ information }: Source): RelayInformation | undefined =>
  information;
