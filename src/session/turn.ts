import { randomUUID } from 'node:crypto';
import { AwaitedAnswers } from './awaited-answers.ts';
import { PhaseClock } from './phase-clock.ts';
import type { StopCause } from './stop-cause.ts';
import type { TurnPhase } from './stream-handle.ts';
import { TurnClock } from './turn-clock.ts';
import { TurnCost, type Spent } from './turn-cost.ts';
import type { AgentOptions, AgentOutput } from '../contracts/agent-driver.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';
import { newTurnId } from '../events/ids.ts';
import type { PromptContent, TurnEnd } from '../events/record.ts';
import { monotonicMs } from '../time/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface TurnParts {
  readonly content: PromptContent;
  /** The model of this turn only. */
  readonly model: string | undefined;
  /** What the operator adds to the system prompt with it. */
  readonly system?: string | undefined;
  /** Who answers where a call waits for leave. Default `nobody`. */
  readonly answers?: 'client' | 'nobody' | undefined;
  /** The options that the process must have been started with. */
  readonly agentOptions: AgentOptions;
  readonly limits: TurnLimits;
  readonly telemetry: Telemetry;
  /** A phase has lasted too long. Called once at most, and not after the turn has ended. */
  readonly onLimit: (turn: Turn, phase: TurnPhase) => void;
  /** Set when a prompt of an earlier host is taken up. */
  readonly recovered?: RecoveredTurn;
}

/** A turn of an earlier host. */
export interface RecoveredTurn {
  readonly turnId: string;
  /** The record number of its prompt. */
  readonly number: number;
  /** What it has used before. */
  readonly spent?: Spent;
  /** What it has asked its client. */
  readonly asked?: AwaitedAnswers;
}

/** Why an interrupt did not bring a turn to its end, so that its process had to be destroyed. */
export interface InterruptFailure {
  readonly error: string;
  readonly errorType: string;
}

/** One prompt and everything up to its one end: its phase, its clocks, what it costs and why it ends. It touches no process and no log. */
export class Turn {
  readonly id: string;
  /** What the agent knows the prompt by. A prompt is written under it once. */
  readonly promptId = randomUUID();
  readonly content: PromptContent;
  readonly model: string | undefined;
  readonly system: string | undefined;
  readonly answers: 'client' | 'nobody';
  /** What it has asked its client, as far as it has no result. */
  readonly asked: AwaitedAnswers;
  readonly agentOptions: AgentOptions;
  readonly limits: TurnLimits;
  readonly cost: TurnCost;
  /** Settles with the turn's end, never rejects. */
  readonly ended: Promise<TurnEnd>;
  readonly acceptedAtMs = monotonicMs();
  readonly #telemetry: Telemetry;
  readonly #onLimit: (turn: Turn, phase: TurnPhase) => void;
  readonly #settle: (end: TurnEnd) => void;
  /** Since when each runs, waits for a client left out. */
  readonly #runningTools = new Map<string, number>();
  readonly #awaitedAnswers = new Set<string>();
  readonly #phases: PhaseClock;
  readonly #clock: TurnClock;
  #firstTextSeen = false;
  #cause: StopCause | undefined;
  #interruptFailure: InterruptFailure | undefined;
  #number: number | undefined;
  #end: TurnEnd | undefined;

  constructor(parts: TurnParts) {
    this.id = parts.recovered?.turnId ?? newTurnId();
    this.#number = parts.recovered?.number;
    this.content = parts.content;
    this.model = parts.model;
    this.system = parts.system;
    this.answers = parts.answers ?? 'nobody';
    this.agentOptions = parts.agentOptions;
    this.asked = parts.recovered?.asked ?? new AwaitedAnswers();
    this.cost = new TurnCost(parts.recovered?.spent);
    this.limits = parts.limits;
    this.#telemetry = parts.telemetry;
    this.#onLimit = parts.onLimit;
    const ended = Promise.withResolvers<TurnEnd>();
    this.ended = ended.promise;
    this.#settle = ended.resolve;
    this.#phases = new PhaseClock({
      limits: parts.limits,
      metrics: parts.telemetry.metrics,
      onLimit: (phase) => this.#limitReached(phase),
    });
    this.#clock = new TurnClock({
      turnMs: parts.limits.turnMs,
      onLimit: () => this.#limitReached('ended'),
    });
  }

  get phase(): TurnPhase {
    return this.#phases.phase;
  }

  /** The record number of the prompt; undefined until it is in the store. */
  get number(): number | undefined {
    return this.#number;
  }

  get cause(): StopCause | undefined {
    return this.#cause;
  }

  get interruptFailure(): InterruptFailure | undefined {
    return this.#interruptFailure;
  }

  /** Notes that the interrupt failed; the first failure counts. */
  interruptFailed(failure: InterruptFailure): void {
    this.#interruptFailure ??= failure;
  }

  get end(): TurnEnd | undefined {
    return this.#end;
  }

  /** Milliseconds since the last sign of progress of the phase. */
  get idleMs(): number {
    return this.#phases.idleMs;
  }

  /** Time since the delivery in which the agent was at work: waits for the client, and between retries, left out. */
  get activeMs(): number {
    return this.#phases.activeMs;
  }

  recorded(number: number): void {
    this.#number = number;
  }

  /** The phase's limit has passed although its timer has not fired yet (a busy event loop, a suspended machine). */
  get overdue(): boolean {
    return this.#phases.overdue;
  }

  starting(): void {
    if (this.phase === 'queued') this.#phases.enter('starting');
  }

  /** Begins the wait for the client's answers: the clock of the whole turn stands still. */
  awaitClient(): void {
    this.#clock.pause();
    this.#enterByWork();
  }

  /** All answers are there. The turn goes on in its process, or needs one (`starting`). */
  answered(next: 'goes-on' | 'starting'): void {
    this.#clock.resume();
    if (this.phase === 'ended') return;
    if (next === 'starting') {
      this.#runningTools.clear();
      this.#phases.enter('starting');
      return;
    }
    for (const id of this.#runningTools.keys()) this.#runningTools.set(id, monotonicMs());
    this.#enterByWork();
    this.#clock.run();
  }

  /** A process goes on with the turn, at this call. */
  takenUp(toolUseId: string): void {
    this.#runningTools.set(toolUseId, monotonicMs());
    this.#enterByWork();
    this.#clock.run();
  }

  /** The prompt is about to be written to a ready process: here the clock of the first message starts, and the turn's. */
  delivered(): void {
    this.#phases.enter('awaiting-first-message');
    this.#clock.run();
  }

  /** Follows what the agent puts out. */
  observe(output: AgentOutput): void {
    if (this.phase === 'ended') return;
    switch (output.kind) {
      case 'accepted':
        if (this.phase === 'awaiting-first-message') this.#phases.enter('awaiting-first-token');
        return;
      case 'preview':
        this.#observePreview(output.preview.kind);
        return;
      case 'event':
        if (output.body.type === 'span.model_request_end' && output.detail.usage !== undefined)
          this.cost.add(output.detail);
        if (output.body.type === 'session.status_rescheduled') this.#phases.enter('retrying');
        else this.#phases.progress();
        return;
      case 'tool_started':
        this.#runningTools.set(output.toolUseId, monotonicMs());
        this.#enterByWork();
        return;
      case 'tool_finished':
        this.#runningTools.delete(output.toolUseId);
        this.#enterByWork();
        return;
      case 'answer_awaited':
        this.#awaitedAnswers.add(output.requestId);
        this.#enterByWork();
        return;
      case 'answer_given':
        this.#awaitedAnswers.delete(output.requestId);
        for (const id of this.#runningTools.keys()) this.#runningTools.set(id, monotonicMs());
        this.#enterByWork();
        return;
      case 'activity':
      case 'answers_awaited':
      case 'transcript_stale':
      case 'ended':
        return;
      default:
        output satisfies never;
    }
  }

  /** Notes why the turn is being stopped, unless a cause is there already, and stops its clocks. True for the first cause. */
  stop(cause: StopCause): boolean {
    this.#stopClocks();
    if (this.#cause !== undefined || this.#end !== undefined) return false;
    this.#cause = cause;
    return true;
  }

  /** The turn has ended; only the first call counts. */
  finish(end: TurnEnd): void {
    if (this.#end !== undefined) return;
    this.#stopClocks();
    this.#phases.enter('ended');
    this.#end = end;
    const { metrics } = this.#telemetry;
    metrics.count('roundhouse_turns_total', { reason: end.reason, code: end.error?.code ?? '' });
    metrics.observe('roundhouse_turn_seconds', (monotonicMs() - this.acceptedAtMs) / 1000);
    this.#settle(end);
  }

  #observePreview(kind: string): void {
    if (kind === 'message_start') {
      this.#phases.enter('awaiting-first-token');
      return;
    }
    if (this.phase !== 'streaming') this.#phases.enter('streaming');
    else this.#phases.progress();
    const { startedAtMs } = this.#clock;
    if (kind === 'text_delta' && !this.#firstTextSeen && startedAtMs !== undefined) {
      this.#firstTextSeen = true;
      this.#telemetry.metrics.observe(
        'roundhouse_first_text_seconds',
        (monotonicMs() - startedAtMs) / 1000,
      );
    }
  }

  #enterByWork(): void {
    if (this.#clock.paused || this.#awaitedAnswers.size > 0) this.#phases.enter('awaiting-client');
    else if (this.#runningTools.size > 0)
      this.#phases.enter('tool', Math.min(...this.#runningTools.values()));
    else this.#phases.enter('awaiting-first-token');
  }

  #limitReached(phase: TurnPhase): void {
    if (this.#cause !== undefined || this.#end !== undefined) return;
    this.#telemetry.metrics.count('roundhouse_phase_timeouts_total', {
      phase: phase === 'ended' ? 'turn' : phase,
    });
    this.#onLimit(this, phase);
  }

  #stopClocks(): void {
    this.#phases.stop();
    this.#clock.stop();
  }

  /** For a look from outside (S7): acts at once if a limit has passed unnoticed. True when it had. */
  checkLimit(): boolean {
    if (this.#cause !== undefined || this.#end !== undefined) return false;
    if (this.overdue) this.#limitReached(this.phase);
    else if (this.#clock.overdue) this.#limitReached('ended');
    else return false;
    return true;
  }
}
