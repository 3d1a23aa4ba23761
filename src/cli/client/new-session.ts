import type Anthropic from '@anthropic-ai/sdk';
import { APIConnectionTimeoutError } from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsSession,
  SessionCreateParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';

/**
 * Until a session is there: it waits for the clone that its environment may want, for which the server has 120 s, and before
 * that for its turn.
 */
const SESSION_TIMEOUT_MS = 180_000;

/** No session was made in time. The server has let go of it, because nobody waits for it any more. */
export class SessionTimeout extends APIConnectionTimeoutError {
  constructor() {
    super({
      message: `No session was made within ${SESSION_TIMEOUT_MS / 1_000} s, and none is left behind. If its environment gives it a clone, that is large or waits for others: try again when the server has less to do, or look at its log.`,
    });
  }
}

/** Makes a session. Rejects with {@link SessionTimeout} after 180 s, and when `signal` aborts; then the server has none. */
export async function newSession(
  client: Anthropic,
  params: SessionCreateParams,
  signal?: AbortSignal,
): Promise<BetaManagedAgentsSession> {
  const request = { timeout: SESSION_TIMEOUT_MS, signal };
  try {
    return await client.beta.sessions.create(params, request);
  } catch (error) {
    throw error instanceof APIConnectionTimeoutError ? new SessionTimeout() : error;
  }
}
