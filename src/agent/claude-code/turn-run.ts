import type { SDKMessage, SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';

import type { AgentOptions, TakeUp } from '../../contracts/agent-driver.ts';
import type { CallAnswer } from '../../contracts/answerer.ts';
import type { ToolPermission } from '../../contracts/tool-permission.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Redact } from './redact.ts';
import type { ToolFacts } from './tool-use.ts';
import type { MappedOutput } from './turn-mapper.ts';
import { toolPermission } from '../../contracts/tool-permission.ts';
import { NO_USAGE, type SessionEvent } from '../../events/record.ts';
import { isCredentialRefusal } from './errors.ts';
import { HeldCalls, type HeldCallsParts } from './held-calls.ts';
import { isAborted, turnEndOf } from './turn-end.ts';
import { TurnMapper } from './turn-mapper.ts';
import { AgentTurn } from './turn.ts';
import { UndecidedCalls, type CallEvent } from './undecided-calls.ts';

/**
 * What a turn wants of its process. `exit-check`: the agent gave the turn up and nobody had asked for it, as it does when
 * a signal is ending it; the result counts only if the process lives on.
 */
export type TurnRequest =
  | { readonly wants: 'interrupt' }
  | { readonly wants: 'exit-check'; readonly finish: (processUsable: boolean) => void }
  | undefined;

export interface TurnRunParts extends Partial<Pick<HeldCallsParts, 'isCommitted' | 'commit'>> {
  /** Who answers where a call waits for leave. Default `nobody`. */
  readonly answers?: 'client' | 'nobody' | undefined;
  readonly options?: AgentOptions;
  readonly tools?: ToolFacts;
  /** The call of an earlier process that the turn goes on with. */
  readonly takeUp?: TakeUp;
}

/** The turn that a process runs: what it has said so far, and why it may be ending. */
export class TurnRun {
  readonly turn: AgentTurn;
  /** Its calls that wait for the client. */
  readonly held: HeldCalls;
  readonly #undecided: UndecidedCalls;
  /** Whether it goes on with the turn of an earlier process, without a prompt. */
  readonly takesUp: boolean;
  readonly #redact: Redact;
  readonly #options: AgentOptions;
  readonly #mapper: TurnMapper;
  #answers: 'client' | 'nobody';
  #interrupted = false;
  #refusedStatus: number | undefined;
  /** The agent has given a result, and it is not yet decided what it means. */
  #reported = false;

  constructor(promptId: string, redact: Redact, parts: TurnRunParts = {}) {
    const { answers = 'nobody', options = {}, takeUp } = parts;
    this.turn = new AgentTurn(promptId);
    this.takesUp = takeUp !== undefined;
    this.#redact = redact;
    this.#answers = answers;
    this.#options = options;
    const permissionOf = (toolName: string, inSubagent: boolean): ToolPermission =>
      this.#permissionOf(toolName, inSubagent);
    this.#mapper = new TurnMapper(parts.tools, { permissionOf, takeUp });
    this.held = new HeldCalls({
      isCommitted: parts.isCommitted ?? (() => true),
      commit: parts.commit ?? (() => Promise.resolve()),
      tell: (toolUseIds) => {
        // The turn may go on in another process, which needs to know every call that is open.
        this.#undecided.showAll();
        this.turn.push({ kind: 'answers_awaited', toolUseIds });
      },
    });
    this.#undecided = new UndecidedCalls((call) => this.#push(call));
  }

  /** Who answers where a call waits for leave. */
  get answers(): 'client' | 'nobody' {
    return this.#answers;
  }

  /** Somebody reads the turn that goes on; until then nobody answers. */
  takenUpBy(answers: 'client' | 'nobody'): void {
    this.#answers = answers;
  }

  /** The agent has come to a call that the options let it carry out; it may still ask. */
  begin(toolUseId: string): void {
    this.held.begin(toolUseId);
    if (this.#answers === 'client') this.#undecided.begin(toolUseId);
  }

  /** The client is asked about a call: settles with the answer. It can tell from the call that it is asked. */
  hold(toolUseId: string): Promise<CallAnswer> {
    this.#undecided.ask(toolUseId);
    return this.held.hold(toolUseId);
  }

  /** Gives a call its answer. False when none waits for it. */
  answer(toolUseId: string, answer: CallAnswer): boolean {
    return this.held.answer(toolUseId, answer);
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
    for (const output of this.#mapper.map(message)) {
      if (this.#mayBeAskedAbout(output)) this.#undecided.add(output);
      else this.#push(output);
    }
    this.held.messageOpen = this.#mapper.inMessage;
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

  /** The same as the permissions will decide, told with the call. */
  #permissionOf(toolName: string, inSubagent: boolean): ToolPermission {
    const permission = toolPermission(this.#options, toolName);
    if (permission !== 'ask') return permission;
    return this.#answers === 'client' && !inSubagent ? 'ask' : 'deny';
  }

  #push(output: MappedOutput): void {
    const toolUseId = output.kind === 'event' ? output.detail.toolUseId : undefined;
    if (output.kind === 'event' && toolUseId !== undefined) {
      if (output.body.type === 'agent.tool_result') this.#undecided.finish(toolUseId);
      if (asksClient(output.body)) this.held.expect(toolUseId);
    }
    this.turn.push(output);
    if (output.kind === 'tool_finished') this.held.finish(output.toolUseId);
  }

  /** Whether the agent may want to ask about a call of its own tools. It can't where nobody answers. */
  #mayBeAskedAbout(output: MappedOutput): output is CallEvent {
    if (this.#answers !== 'client' || output.kind !== 'event') return false;
    const { body, detail } = output;
    return (
      body.type === 'agent.tool_use' &&
      detail.toolUseId !== undefined &&
      detail.parentToolUseId === undefined &&
      body.evaluated_permission !== 'ask' &&
      body.evaluated_permission !== 'deny'
    );
  }

  #close(): void {
    this.held.close();
    this.#undecided.showAll();
    for (const output of this.#mapper.close()) this.turn.push(output);
  }
}

/** Whether the client is asked about what the event shows. */
function asksClient(body: SessionEvent): boolean {
  if (body.type === 'agent.custom_tool_use') return true;
  const isCall = body.type === 'agent.tool_use' || body.type === 'agent.mcp_tool_use';
  return isCall && body.evaluated_permission === 'ask';
}

/** Whether a result is the end of this prompt. One without any uuid speaks of the process as a whole. */
function belongsTo(result: SDKResultMessage, promptId: string): boolean {
  const { user_message_uuids: all, user_message_uuid: one } = result;
  const ids = all ?? (one === undefined ? [] : [one]);
  return ids.length === 0 || ids.includes(promptId);
}
