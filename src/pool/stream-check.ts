import type { SessionClient } from '../session/session-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { unlessAborted } from '../time/deadline.ts';

/**
 * What the seed does with the stream of a session that is asked for (S7 to S12). The timers of the turn itself act when a
 * limit passes; here one that passed unnoticed, on a busy event loop or a machine that slept, acts at once. A healthy
 * running turn is left alone: its session is returned busy. Resolves when a turn that had to be stopped has ended;
 * undefined when there was none.
 */
export function checkStream(
  client: SessionClient,
  { log }: Telemetry,
  signal?: AbortSignal,
): Promise<void> | undefined {
  const { uninterruptedTurn: turn, stream } = client;
  if (turn === undefined && stream === undefined) return undefined;
  const names = { sessionId: client.name, clientId: client.clientId };
  const clear = (wasRecent: boolean): void => {
    const code = turn?.cause?.code;
    client.clearStream();
    log.debug?.('session_pool_stream_cleared', {
      ...names,
      wasInterrupted: code !== undefined,
      wasRecent,
      wasFirstChunkTimeout: code === 'first_message_timeout',
      wasOngoingTimeout: code !== undefined && code !== 'first_message_timeout',
    });
  };
  const held = stream !== undefined && !stream.released;
  log.debug?.('session_pool_active_stream_detected', {
    ...names,
    hasStream: turn !== undefined || stream !== undefined,
    hasHandle: held,
    idleSeconds: turn === undefined ? client.idleSeconds : turn.idleMs / 1000,
  });
  if (turn !== undefined) {
    // S8 and S9: the turn acts on its overdue limit, as it does when its timer fires.
    if (!turn.checkLimit()) return undefined;
    return unlessAborted(turn.ended, signal).then(() => clear(false));
  }
  // S10: the turn has ended and its stream is still held. It keeps what it has; the session is free at once.
  if (held)
    log.debug?.('session_pool_clearing_recent_stream', { ...names, oldHandleId: stream?.handleId });
  // S11: whether or not a handle was left, no stream remains.
  clear(held);
  return undefined;
}
