import { checkStream } from './stream-check.ts';
import type { TakeReason } from './processes.ts';
import { asRoundhouseError, RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { unlessAborted } from '../time/deadline.ts';

export interface HandoverParts {
  readonly sessionTtlMs: number;
  readonly connectionRecovery: boolean;
  /** Takes the process of a session at rest. */
  readonly take: (client: SessionClient, reason: TakeReason) => Promise<void>;
  readonly telemetry: Telemetry;
}

/** What has to happen before a session is given out: the seed's order of decisions, rows S5 to S17. */
export class Handover {
  readonly #parts: HandoverParts;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
  }

  /** S5 to S15: a session that is in memory. Undefined when nothing has to be waited for. */
  readyForReuse(client: SessionClient, signal: AbortSignal | undefined): Promise<void> | undefined {
    const { telemetry } = this.#parts;
    telemetry.log.debug?.('session_pool_existing_session_found', {
      sessionId: client.name,
      clientId: client.clientId,
      sessionStatus: client.status,
    });
    if (client.status === 'interrupting') return this.#awaitInterrupt(client, signal);
    const stopped = checkStream(client, telemetry, signal);
    if (stopped === undefined) return this.#renewOrReuse(client, signal);
    return stopped.then(() => this.#renewOrReuse(client, signal));
  }

  /** S17: connected, or a clear refusal. Undefined when it is connected already. */
  connect(client: SessionClient, signal: AbortSignal | undefined): Promise<void> | undefined {
    return client.ensureConnected(signal)?.catch((error: unknown) => {
      const failure = asRoundhouseError(error);
      if (failure.code === 'session_connection_failed')
        throw this.#notConnected(client.name, failure.message, failure);
      if (failure.code === 'agent_unavailable') this.#logNotConnected(client.name, failure.message);
      throw error;
    });
  }

  /** S13 to S15, where no turn is under way. */
  #renewOrReuse(client: SessionClient, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (client.busy) return undefined;
    const { take, sessionTtlMs, telemetry } = this.#parts;
    const { log } = telemetry;
    const { name: sessionId, clientId } = client;
    if (client.ageSeconds * 1000 >= sessionTtlMs) {
      log.debug?.('session_expired', { sessionId });
      return unlessAborted(take(client, 'expired'), signal);
    }
    if (client.optionsChanged) {
      log.debug?.('session_options_changed', { sessionId, clientId });
      return unlessAborted(take(client, 'options_changed'), signal);
    }
    if (!client.healthy) return this.#recover(client, signal);
    if (client.status === 'idle') {
      log.debug?.('session_pool_reusing_healthy_session', { sessionId, clientId });
      client.markReused();
    } else {
      // Without a process, which is normal: the next step resumes the conversation in a new one.
      log.debug?.('session_pool_resuming_session', { sessionId, sessionStatus: client.status });
    }
    return undefined;
  }

  /** S6: an interrupt is waited for, and the client replaced in both outcomes; the conversation goes on. */
  async #awaitInterrupt(client: SessionClient, signal: AbortSignal | undefined): Promise<void> {
    const { log } = this.#parts.telemetry;
    const { name: sessionId, clientId } = client;
    log.warn('session_pool_interrupting_session', { sessionId, clientId });
    if (await client.waitForInterrupt(client.limits.interruptMs, signal)) {
      log.debug?.('session_pool_interrupt_completed', { sessionId, clientId });
      client.renewClientId();
    } else {
      log.warn('session_pool_interrupt_timeout', { sessionId, clientId });
      await client.abandonInterrupt(signal);
    }
  }

  /** S14: a session whose process failed. */
  async #recover(client: SessionClient, signal: AbortSignal | undefined): Promise<void> {
    const { name: sessionId } = client;
    if (!this.#parts.connectionRecovery) {
      const why = 'its process failed, and pool.connectionRecovery is off';
      throw this.#notConnected(sessionId, why);
    }
    this.#parts.telemetry.log.debug?.('session_unhealthy_recovering', { sessionId });
    await this.connect(client, signal);
    client.markReused();
  }

  #notConnected(sessionId: string, why: string, cause?: RoundhouseError): RoundhouseError {
    this.#logNotConnected(sessionId, why);
    const prefix = `Failed to establish session connection: ${sessionId}`;
    const message = why.startsWith(prefix) ? why : `${prefix} (${why})`;
    const { retryAfterSeconds } = cause ?? {};
    return new RoundhouseError('session_connection_failed', message, {
      cause,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
  }

  #logNotConnected(sessionId: string, error: string): void {
    this.#parts.telemetry.log.error('session_pool_connection_failed', { sessionId, error });
  }
}
