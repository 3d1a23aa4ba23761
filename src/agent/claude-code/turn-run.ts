import type { SDKMessage, SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';

import type { ErrorCode } from '../../errors.ts';
import type { Redact } from './redact.ts';
import type { ToolFacts } from './tool-use.ts';
import { NO_USAGE } from '../../events/record.ts';
import { isCredentialRefusal } from './errors.ts';
import { isAborted, turnEndOf } from './turn-end.ts';
import { TurnMapper } from './turn-mapper.ts';
import { AgentTurn } from './turn.ts';

/**
 * What a turn wants of its process. `exit-check`: the agent gave the turn up and nobody had asked for it, as it does when
 * a signal is ending it; the result counts only if the process lives on.
 */
export type TurnRequest =
  | { readonly wants: 'interrupt' }
  | { readonly wants: 'exit-check'; readonly finish: (processUsable: boolean) => void }
  | undefined;

/** The turn that a process runs: what it has said so far, and why it may be ending. */
export class TurnRun {
  readonly turn: AgentTurn;
  readonly #redact: Redact;
  readonly #mapper: TurnMapper;
  #interrupted = false;
  #refusedStatus: number | undefined;
  /** The agent has given a result, and it is not yet decided what it means. */
  #reported = false;

  constructor(promptId: string, redact: Redact, tools?: ToolFacts) {
    this.turn = new AgentTurn(promptId);
    this.#redact = redact;
    this.#mapper = new TurnMapper(tools);
  }

  /** The agent is done with the prompt. Without a result before it, it has seen this prompt id before and does nothing. */
  settled(processUsable: boolean): void {
    if (this.#reported) return;
    this.fail('agent_failed', 'The agent closed the prompt and gave no result.', processUsable);
  }

  /** Somebody asked for the end of the turn. */
  markInterrupted(): void {
    this.#interrupted = true;
  }

  /** Whether a message is the agent's report of the end of this turn. */
  isReport(message: SDKMessage): message is SDKResultMessage {
    return message.type === 'result' && belongsTo(message, this.turn.promptId);
  }

  /** The report is there, and will be given to {@link TurnRun.receive} when something else is done. */
  awaitReport(): void {
    this.#reported = true;
  }

  /** Takes a message that came while the turn ran. */
  receive(message: SDKMessage, processUsable: boolean): TurnRequest {
    if (message.type === 'result') {
      if (!this.isReport(message)) return undefined;
      if (isAborted(message) && !this.#interrupted && this.#refusedStatus === undefined) {
        this.#reported = true;
        return { wants: 'exit-check', finish: (usable) => this.#finish(message, usable) };
      }
      this.#finish(message, processUsable);
      return undefined;
    }
    for (const output of this.#mapper.map(message)) this.turn.push(output);
    const status = this.#mapper.lastRetry?.status ?? null;
    if (status === null || !isCredentialRefusal(status) || this.#refusedStatus !== undefined) {
      return undefined;
    }
    // No retry heals a refused credential; the turn ends now and not after all of them.
    this.#refusedStatus = status;
    return { wants: 'interrupt' };
  }

  /** Ends the turn without a word of the agent about it. */
  fail(code: ErrorCode, message: string, processUsable: boolean): void {
    this.#close();
    this.turn.end(
      {
        reason: 'failed',
        error: { code, message: this.#redact(message) },
        usage: NO_USAGE,
        modelRequests: this.#mapper.modelRequests,
        stopReason: this.#mapper.stopReason,
      },
      processUsable,
    );
  }

  #finish(result: SDKResultMessage, processUsable: boolean): void {
    this.#close();
    const { stopReason, modelRequests, lastRetry } = this.#mapper;
    const facts = {
      stopReason,
      modelRequests,
      lastRetry,
      interrupted: this.#interrupted,
      refusedStatus: this.#refusedStatus,
    };
    this.turn.end(turnEndOf(result, facts, this.#redact), processUsable);
  }

  #close(): void {
    for (const output of this.#mapper.close()) this.turn.push(output);
  }
}

/** Whether a result is the end of this prompt. One without any uuid speaks of the process as a whole. */
function belongsTo(result: SDKResultMessage, promptId: string): boolean {
  const { user_message_uuids: all, user_message_uuid: one } = result;
  const ids = all ?? (one === undefined ? [] : [one]);
  return ids.length === 0 || ids.includes(promptId);
}
