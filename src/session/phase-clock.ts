import type { TurnLimits } from '../definitions/turn-limits.ts';
import type { TurnPhase } from './stream-handle.ts';
import { monotonicMs } from '../time/clock.ts';
import { after, type Timer } from '../time/timers.ts';
import type { Metrics } from '../telemetry/telemetry.ts';

export interface PhaseClockParts {
  readonly limits: TurnLimits;
  readonly metrics: Metrics;
  /** The phase has lasted too long. Not called after {@link PhaseClock.stop}. */
  readonly onLimit: (phase: TurnPhase) => void;
}

/** The phase of a turn: since when, for how long the agent was at work in it and the ones before, and whether it is too long. */
export class PhaseClock {
  readonly #parts: PhaseClockParts;
  #phase: TurnPhase = 'queued';
  #sinceMs = monotonicMs();
  /** What the limit of the phase is counted from, unless it is one of silence. */
  #limitFromMs = this.#sinceMs;
  #lastProgressMs = this.#sinceMs;
  #retryingMs = 0;
  #activeMs = 0;
  #stopped = false;
  #timer: Timer | undefined;

  constructor(parts: PhaseClockParts) {
    this.#parts = parts;
    this.#arm();
  }

  get phase(): TurnPhase {
    return this.#phase;
  }

  /** Milliseconds since the last sign of progress of the phase. */
  get idleMs(): number {
    return monotonicMs() - this.#lastProgressMs;
  }

  /** Milliseconds in which the agent was at work. */
  get activeMs(): number {
    return this.#activeMs + (isActive(this.#phase) ? monotonicMs() - this.#sinceMs : 0);
  }

  /** The phase's limit has passed although its timer has not fired yet (a busy event loop, a suspended machine). */
  get overdue(): boolean {
    const remaining = this.#remainingMs();
    return remaining !== undefined && remaining <= 0;
  }

  /** `limitFromMs`: what the phase's limit is counted from, on the monotonic clock. Default: now. */
  enter(phase: TurnPhase, limitFromMs?: number): void {
    const now = monotonicMs();
    const lastedMs = now - this.#sinceMs;
    this.#parts.metrics.observe('roundhouse_phase_seconds', lastedMs / 1000, {
      phase: this.#phase,
    });
    // Retries share one bound: the time of the earlier ones counts.
    if (this.#phase === 'retrying') this.#retryingMs += lastedMs;
    if (isActive(this.#phase)) this.#activeMs += lastedMs;
    this.#phase = phase;
    this.#sinceMs = now;
    this.#limitFromMs = limitFromMs ?? now;
    this.#lastProgressMs = now;
    this.#arm();
  }

  /** A sign of progress in the phase: what ends silence. */
  progress(): void {
    this.#lastProgressMs = monotonicMs();
  }

  /** Nothing is too long any more. Phases may still be entered. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const remaining = this.#remainingMs();
    if (remaining === undefined) return;
    // Progress does not touch the timer (there may be thousands of deltas a second): a timer that comes early goes on.
    this.#timer = after(Math.max(1, remaining), () =>
      this.overdue ? this.#parts.onLimit(this.#phase) : this.#arm(),
    );
  }

  /** Silence is counted from the last progress, a tool from its own start; the other limits are for the whole phase. */
  #remainingMs(): number | undefined {
    const limit = limitOf(this.#phase, this.#parts.limits);
    if (limit === undefined || this.#stopped) return undefined;
    const used = this.#phase === 'retrying' ? this.#retryingMs : 0;
    const fromMs = this.#phase === 'streaming' ? this.#lastProgressMs : this.#limitFromMs;
    return limit - used - (monotonicMs() - fromMs);
  }
}

/** The limit of each phase that has one of its own; `starting` is bounded where processes are started. */
function limitOf(phase: TurnPhase, limits: TurnLimits): number | undefined {
  switch (phase) {
    case 'queued':
      return limits.queuedMs;
    case 'awaiting-first-message':
      return limits.firstMessageMs;
    case 'awaiting-first-token':
      return limits.firstTokenMs;
    case 'streaming':
      return limits.silenceMs;
    case 'tool':
      return limits.toolMs;
    case 'awaiting-client':
      return limits.awaitingClientMs;
    case 'retrying':
      return limits.retryingMs;
    case 'starting':
    case 'ended':
      return undefined;
    default:
      return phase satisfies never;
  }
}

/** Whether the agent is at work on a turn in that phase. */
function isActive(phase: TurnPhase): boolean {
  switch (phase) {
    case 'awaiting-first-message':
    case 'awaiting-first-token':
    case 'streaming':
    case 'tool':
      return true;
    case 'queued':
    case 'starting':
    case 'awaiting-client':
    case 'retrying':
    case 'ended':
      return false;
    default:
      return phase satisfies never;
  }
}
