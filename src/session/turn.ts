import { randomUUID } from 'node:crypto';
import { AwaitedAnswers } from './awaited-answers.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';
import type { StopCause } from './stop-cause.ts';
import type { TurnPhase } from './stream-handle.ts';
import type { AgentOptions, AgentOutput } from '../contracts/agent-driver.ts';
import { newTurnId } from '../events/ids.ts';
import { listPriceUsd } from '../events/list-price.ts';
import {
  addUsage,
  NO_USAGE,
  type EventDetail,
  type PromptContent,
  type TurnEnd,
  type Usage,
} from '../events/record.ts';
import { monotonicMs } from '../time/clock.ts';
import { after, type Timer } from '../time/timers.ts';
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

/** What a turn has used, as its model requests have told: what they cost is an estimate by list prices. */
export interface Spent {
  readonly usage: Usage;
  readonly modelRequests: number;
  /** A model that was asked and has no list price, so that the cost is not all of it. */
  readonly unpricedModel?: string;
}

/** Why an interrupt did not bring a turn to its end, so that its process had to be destroyed. */
export interface InterruptFailure {
  readonly error: string;
  readonly errorType: string;
}

export const NOTHING_SPENT: Spent = { usage: NO_USAGE, modelRequests: 0 };

/** With one more model request. */
export function withRequest(
  spent: Spent,
  { model = 'that was asked', usage = NO_USAGE }: Pick<EventDetail, 'model' | 'usage'>,
): Spent {
  const costUsd = listPriceUsd(model, usage);
  return addSpent(spent, {
    usage: { ...usage, costUsd: costUsd ?? 0 },
    modelRequests: 1,
    ...(costUsd === undefined && { unpricedModel: model }),
  });
}

function addSpent(a: Spent, b: Spent): Spent {
  const unpricedModel = a.unpricedModel ?? b.unpricedModel;
  return {
    usage: addUsage(a.usage, b.usage),
    modelRequests: a.modelRequests + b.modelRequests,
    ...(unpricedModel !== undefined && { unpricedModel }),
  };
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

/** One prompt and everything up to its one end: its phase, and the clocks of its phases. It touches no process and no log. */
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
  /** Settles with the turn's end, never rejects. */
  readonly ended: Promise<TurnEnd>;
  readonly acceptedAtMs = monotonicMs();
  readonly #telemetry: Telemetry;
  readonly #onLimit: (turn: Turn, phase: TurnPhase) => void;
  readonly #settle: (end: TurnEnd) => void;
  /** Since when each runs, waits for a client left out. */
  readonly #runningTools = new Map<string, number>();
  readonly #awaitedAnswers = new Set<string>();
  #phase: TurnPhase = 'queued';
  #phaseSinceMs = monotonicMs();
  #lastProgressMs = monotonicMs();
  #timer: Timer | undefined;
  #turnTimer: Timer | undefined;
  #deliveredAtMs: number | undefined;
  #firstTextSeen = false;
  /** The client is being asked since then; undefined while it is not. */
  #askingSinceMs: number | undefined;
  /** Time in which nothing but the client was waited for: it counts for no limit but that of this wait. */
  #askedMs = 0;
  /** Used in processes that have gone, and in the present one as far as it has shown. */
  #before: Spent;
  #shown: Spent = NOTHING_SPENT;
  #retryingMs = 0;
  #activeMs = 0;
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
    this.#before = parts.recovered?.spent ?? NOTHING_SPENT;
    this.limits = parts.limits;
    this.#telemetry = parts.telemetry;
    this.#onLimit = parts.onLimit;
    const ended = Promise.withResolvers<TurnEnd>();
    this.ended = ended.promise;
    this.#settle = ended.resolve;
    this.#arm();
  }

  get phase(): TurnPhase {
    return this.#phase;
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
    return monotonicMs() - this.#lastProgressMs;
  }

  /** Time since the delivery in which the agent was at work: waits for the client, and between retries, left out. */
  get activeMs(): number {
    return this.#activeMs + (isActive(this.#phase) ? monotonicMs() - this.#phaseSinceMs : 0);
  }

  recorded(number: number): void {
    this.#number = number;
  }

  /** The phase's limit has passed although its timer has not fired yet (a busy event loop, a suspended machine). */
  get overdue(): boolean {
    const limit = this.#remainingMs();
    return limit !== undefined && limit <= 0;
  }

  starting(): void {
    if (this.#phase === 'queued') this.#enter('starting');
  }

  /** Begins the wait for the client's answers: the clock of the whole turn stands still. */
  awaitClient(): void {
    this.#turnTimer?.cancel();
    this.#turnTimer = undefined;
    this.#askingSinceMs ??= monotonicMs();
    this.#enterByWork();
  }

  /** All answers are there. The turn goes on in its process, or needs one (`starting`). */
  answered(next: 'goes-on' | 'starting'): void {
    const now = monotonicMs();
    if (this.#askingSinceMs !== undefined) this.#askedMs += now - this.#askingSinceMs;
    this.#askingSinceMs = undefined;
    if (this.#phase === 'ended') return;
    if (next === 'starting') {
      this.#runningTools.clear();
      this.#enter('starting');
      return;
    }
    for (const id of this.#runningTools.keys()) this.#runningTools.set(id, now);
    this.#enterByWork();
    this.#armTurnTimer();
  }

  /** A process goes on with the turn, at this call. */
  takenUp(toolUseId: string): void {
    this.#deliveredAtMs ??= monotonicMs();
    this.#runningTools.set(toolUseId, monotonicMs());
    this.#enterByWork();
    this.#armTurnTimer();
  }

  /** What it has used until now, in all its processes. */
  get cost(): Spent {
    return addSpent(this.#before, this.#shown);
  }

  /** Its process has gone, and will tell of no usage any more. */
  leftBehind(): void {
    this.#before = this.cost;
    this.#shown = NOTHING_SPENT;
  }

  /** An end with what was used in the processes before, and with the estimated cost where its process did not tell it. */
  whole(end: TurnEnd): TurnEnd {
    const { usage, modelRequests } = this.#before;
    const costUsd = end.usage.costUsd === 0 ? this.#shown.usage.costUsd : end.usage.costUsd;
    return {
      ...end,
      usage: addUsage(usage, { ...end.usage, costUsd }),
      modelRequests: modelRequests + end.modelRequests,
    };
  }

  /** The prompt is about to be written to a ready process: here the clock of the first message starts, and the turn's. */
  delivered(): void {
    this.#deliveredAtMs = monotonicMs();
    this.#enter('awaiting-first-message');
    this.#armTurnTimer();
  }

  /** Follows what the agent puts out. */
  observe(output: AgentOutput): void {
    if (this.#phase === 'ended') return;
    switch (output.kind) {
      case 'accepted':
        if (this.#phase === 'awaiting-first-message') this.#enter('awaiting-first-token');
        return;
      case 'preview':
        this.#observePreview(output.preview.kind);
        return;
      case 'event':
        if (output.body.type === 'span.model_request_end' && output.detail.usage !== undefined)
          this.#shown = withRequest(this.#shown, output.detail);
        if (output.body.type === 'session.status_rescheduled') this.#enter('retrying');
        else this.#progress();
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
    this.#enter('ended');
    this.#end = end;
    const { metrics } = this.#telemetry;
    metrics.count('roundhouse_turns_total', { reason: end.reason, code: end.error?.code ?? '' });
    metrics.observe('roundhouse_turn_seconds', (monotonicMs() - this.acceptedAtMs) / 1000);
    this.#settle(end);
  }

  #observePreview(kind: string): void {
    if (kind === 'message_start') {
      this.#enter('awaiting-first-token');
      return;
    }
    if (this.#phase !== 'streaming') this.#enter('streaming');
    else this.#progress();
    if (kind === 'text_delta' && !this.#firstTextSeen && this.#deliveredAtMs !== undefined) {
      this.#firstTextSeen = true;
      this.#telemetry.metrics.observe(
        'roundhouse_first_text_seconds',
        (monotonicMs() - this.#deliveredAtMs) / 1000,
      );
    }
  }

  #enterByWork(): void {
    if (this.#askingSinceMs !== undefined || this.#awaitedAnswers.size > 0)
      this.#enter('awaiting-client');
    else if (this.#runningTools.size > 0) this.#enter('tool');
    else this.#enter('awaiting-first-token');
  }

  #enter(phase: TurnPhase): void {
    const now = monotonicMs();
    this.#telemetry.metrics.observe('roundhouse_phase_seconds', (now - this.#phaseSinceMs) / 1000, {
      phase: this.#phase,
    });
    // Retries share one bound: the time of the earlier ones counts.
    if (this.#phase === 'retrying') this.#retryingMs += now - this.#phaseSinceMs;
    if (isActive(this.#phase)) this.#activeMs += now - this.#phaseSinceMs;
    this.#phase = phase;
    this.#phaseSinceMs = now;
    this.#lastProgressMs = now;
    this.#arm();
  }

  #progress(): void {
    this.#lastProgressMs = monotonicMs();
  }

  #remainingMs(): number | undefined {
    const limit = limitOf(this.#phase, this.limits);
    if (limit === undefined || this.#cause !== undefined) return undefined;
    const used = this.#phase === 'retrying' ? this.#retryingMs : 0;
    return limit - used - (monotonicMs() - this.#limitSinceMs());
  }

  /** Silence is counted from the last progress, a tool from its own start; the other limits are for the whole phase. */
  #limitSinceMs(): number {
    if (this.#phase === 'streaming') return this.#lastProgressMs;
    if (this.#phase === 'tool') return Math.min(...this.#runningTools.values());
    return this.#phaseSinceMs;
  }

  get #turnOverdue(): boolean {
    const remaining = this.#turnRemainingMs();
    return remaining !== undefined && remaining <= 0;
  }

  /** Undefined while the clock of the whole turn stands still. */
  #turnRemainingMs(): number | undefined {
    if (this.#deliveredAtMs === undefined || this.#askingSinceMs !== undefined) return undefined;
    return this.limits.turnMs - (monotonicMs() - this.#deliveredAtMs - this.#askedMs);
  }

  #armTurnTimer(): void {
    this.#turnTimer?.cancel();
    const remaining = this.#turnRemainingMs();
    if (remaining === undefined || this.#cause !== undefined) return;
    this.#turnTimer = after(Math.max(1, remaining), () => this.#limitReached('ended'));
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const remaining = this.#remainingMs();
    if (remaining === undefined) return;
    // Progress does not touch the timer (there may be thousands of deltas a second): a timer that comes early goes on.
    this.#timer = after(Math.max(1, remaining), () =>
      this.overdue ? this.#limitReached(this.#phase) : this.#arm(),
    );
  }

  #limitReached(phase: TurnPhase): void {
    if (this.#cause !== undefined || this.#end !== undefined) return;
    this.#telemetry.metrics.count('roundhouse_phase_timeouts_total', {
      phase: phase === 'ended' ? 'turn' : phase,
    });
    this.#onLimit(this, phase);
  }

  #stopClocks(): void {
    this.#timer?.cancel();
    this.#turnTimer?.cancel();
    this.#timer = undefined;
    this.#turnTimer = undefined;
  }

  /** For a look from outside (S7): acts at once if a limit has passed unnoticed. True when it had. */
  checkLimit(): boolean {
    if (this.#cause !== undefined || this.#end !== undefined) return false;
    if (this.overdue) this.#limitReached(this.#phase);
    else if (this.#turnOverdue) this.#limitReached('ended');
    else return false;
    return true;
  }
}
