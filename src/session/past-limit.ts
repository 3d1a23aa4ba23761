import { limitCause, type StopCause } from './stop-cause.ts';
import type { TurnPhase } from './stream-handle.ts';
import type { Turn } from './turn.ts';
import type { LogFields, Telemetry } from '../telemetry/telemetry.ts';

export interface PastLimit {
  readonly turn: Turn;
  /** The phase that has lasted too long; `ended` stands for the whole turn. */
  readonly phase: TurnPhase;
  /** What the session is called in the log. */
  readonly names: LogFields;
  readonly telemetry: Telemetry;
  /** Stops the turn; settles when it has ended. */
  readonly stop: (cause: StopCause) => Promise<boolean>;
}

/** Stops a turn that is past a limit, and logs that and what came of it. */
export function stopPastLimit({ turn, phase, names, telemetry, stop }: PastLimit): void {
  const { log } = telemetry;
  const fields = { ...names, turnId: turn.id, phase, idleSeconds: turn.idleMs / 1000 };
  const interrupts = phase !== 'awaiting-first-message' && phase !== 'queued';
  if (phase === 'awaiting-first-message') log.warn('session_pool_first_chunk_timeout', fields);
  else if (interrupts) log.warn('session_pool_interrupting_ongoing_timeout', fields);
  void stop(limitCause(phase, turn.limits)).then(() => {
    if (!interrupts) return;
    const { interruptFailure: failure } = turn;
    if (failure !== undefined)
      log.warn('session_pool_interrupt_ongoing_failed', { ...fields, ...failure });
    else if (turn.end?.reason === 'failed')
      log.debug?.('session_pool_interrupted_ongoing_timeout', fields);
    else log.debug?.('session_pool_interrupt_ongoing_not_needed', fields);
  });
}
