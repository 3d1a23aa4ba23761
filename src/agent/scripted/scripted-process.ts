import type {
  AgentBinding,
  AgentExit,
  AgentOptions,
  AgentOutput,
  AgentProcess,
  AgentPrompt,
  AgentSpec,
} from '../../contracts/agent-driver.ts';
import type { AgentWatcher } from '../../contracts/agent-watcher.ts';
import type { PermissionDecision } from '../../contracts/answerer.ts';
import type { ScriptStep, Script, ScriptedTurn } from './script.ts';
import { errorText, RoundhouseError } from '../../errors.ts';
import { newEventId } from '../../events/ids.ts';
import type { PreviewBlock } from '../../events/preview.ts';
import {
  NO_USAGE,
  type EventDetail,
  type PromptContent,
  type SessionEvent,
  type TurnEnd,
  type Usage,
} from '../../events/record.ts';
import { wallClockIso } from '../../time/clock.ts';
import { unlessAborted } from '../../time/deadline.ts';
import { after, sleep } from '../../time/timers.ts';

const DEFAULT_MODEL = 'scripted-1';

/** Tokens of a scripted turn: fixed, so that sums are easy to check. */
const USAGE_PER_TURN: Usage = { ...NO_USAGE, inputTokens: 10, outputTokens: 5 };

class TurnStopped extends Error {
  readonly how: 'interrupted' | 'exited';

  constructor(how: 'interrupted' | 'exited') {
    super(how);
    this.how = how;
  }
}

export interface ScriptedProcessParts {
  readonly spec: AgentSpec;
  readonly script: Script;
  /** The texts of the prompts that the transcript has. */
  readonly earlier: readonly string[];
  /** From the end of its life, when it takes no prompt any more, until it is gone. */
  readonly exitMs: number;
  readonly onBind?: ((workspace: string) => void | Promise<void>) | undefined;
  readonly watcher?: AgentWatcher | undefined;
}

/** An agent process that lives in this process and plays a script. It keeps its conversation in the transcript store. */
export class ScriptedProcess implements AgentProcess {
  readonly clientId: string;
  readonly pid = undefined;
  readonly exited: Promise<AgentExit>;
  /** How often it was made ready for its first prompt. */
  warmUps = 0;
  readonly spec: AgentSpec;
  readonly #script: Script;
  readonly #earlier: string[];
  readonly #exitMs: number;
  readonly #onBind: ScriptedProcessParts['onBind'];
  readonly #watcher: AgentWatcher | undefined;
  #workspace: string | undefined;
  #binding = false;
  readonly #settleExit: (exit: AgentExit) => void;
  #exit: AgentExit | undefined;
  #gone = false;
  #model: string;
  #turns = 0;
  #turn: AbortController | undefined;
  #ignoresInterrupts = false;
  #stale = false;

  constructor({ spec, script, earlier, exitMs, onBind, watcher }: ScriptedProcessParts) {
    this.clientId = spec.clientId;
    this.spec = spec;
    this.#script = script;
    this.#earlier = [...earlier];
    this.#exitMs = exitMs;
    this.#onBind = onBind;
    this.#watcher = watcher;
    this.#workspace = spec.workspace;
    this.#model = spec.options.model ?? DEFAULT_MODEL;
    const exited = Promise.withResolvers<AgentExit>();
    this.exited = exited.promise;
    this.#settleExit = exited.resolve;
  }

  /** The folder it works in; undefined while it waits for one. */
  get workspace(): string | undefined {
    return this.#workspace;
  }

  /** Whether {@link AgentProcess.exited} has settled. */
  get gone(): boolean {
    return this.#gone;
  }

  get alive(): boolean {
    return this.#exit === undefined;
  }

  async bind({ workspace }: AgentBinding, signal: AbortSignal): Promise<void> {
    if (this.#workspace !== undefined || this.#binding)
      throw new RoundhouseError('internal', 'The process is not one that waits for a workspace.');
    this.#binding = true;
    try {
      await unlessAborted(
        Promise.resolve(workspace).then((folder) => this.#onBind?.(folder)),
        signal,
      );
      if (!this.alive) throw new Error('it has ended');
      this.#workspace = workspace;
    } catch (error) {
      await this.destroy('workspace_refused');
      throw new RoundhouseError(
        'session_connection_failed',
        `The process did not take the workspace ${workspace}: ${errorText(error)}.`,
        { cause: error },
      );
    }
  }

  async *prompt(prompt: AgentPrompt): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    if (!this.alive)
      throw new RoundhouseError('agent_died', 'A prompt was written to a process that has ended.');
    if (this.#turn !== undefined)
      throw new RoundhouseError('internal', 'Two prompts were written to one process at once.');
    if (this.#workspace === undefined)
      throw new RoundhouseError('internal', 'The process has no workspace yet; bind it.');
    const turn = new AbortController();
    this.#turn = turn;
    const text = textOf(prompt.content);
    const plan = this.#script({
      text,
      system: prompt.system,
      earlier: [...this.#earlier],
      model: prompt.model ?? this.#model,
      workspace: this.#workspace,
      turnsOfProcess: this.#turns,
    });
    this.#turns += 1;
    this.#ignoresInterrupts = plan.interruptible === false;
    let end: TurnEnd;
    try {
      const played = this.#play(prompt, text, plan, turn.signal);
      yield* this.#watcher === undefined ? played : this.#watched(played, this.#watcher);
      end = {
        reason: 'completed',
        usage: USAGE_PER_TURN,
        modelRequests: 1,
        stopReason: 'end_turn',
      };
    } catch (error) {
      end = { ...this.#failure(error), usage: NO_USAGE, modelRequests: 0, stopReason: null };
    } finally {
      if (this.#turn === turn) this.#turn = undefined;
    }
    yield [{ kind: 'ended', end, processUsable: this.alive }];
  }

  warmUp(): Promise<void> {
    this.warmUps += 1;
    return Promise.resolve();
  }

  interrupt(): Promise<void> {
    if (!this.#ignoresInterrupts) this.#turn?.abort(new TurnStopped('interrupted'));
    return Promise.resolve();
  }

  change(options: AgentOptions): Promise<void> {
    const fixed = Object.keys(options).filter((name) => name !== 'model');
    if (fixed.length > 0) {
      return Promise.reject(
        new RoundhouseError(
          'unsupported_field',
          `A live process can't change ${fixed.join(', ')}.`,
        ),
      );
    }
    this.#model = options.model ?? DEFAULT_MODEL;
    return Promise.resolve();
  }

  memoryBytes(): Promise<number | undefined> {
    return Promise.resolve(undefined);
  }

  close(): Promise<AgentExit> {
    this.#end({
      code: 0,
      signal: null,
      stderrTail: '',
      reason: 'closed',
      transcriptStale: this.#stale,
    });
    return this.exited;
  }

  destroy(reason: string): Promise<AgentExit> {
    this.#end({
      code: null,
      signal: 'SIGKILL',
      stderrTail: '',
      reason,
      transcriptStale: this.#stale,
    });
    return this.exited;
  }

  /** For tests: the process dies by itself, as by `kill -9`. */
  die(signal = 'SIGKILL', { transcriptStale = this.#stale } = {}): void {
    this.#end({ code: null, signal, stderrTail: '', transcriptStale });
  }

  #end(exit: AgentExit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.#turn?.abort(new TurnStopped('exited'));
    if (this.#exitMs === 0) this.#settleGone(exit);
    else after(this.#exitMs, () => this.#settleGone(exit), { keepAlive: true });
  }

  #settleGone(exit: AgentExit): void {
    this.#gone = true;
    this.#settleExit(exit);
  }

  #failure(error: unknown): Pick<TurnEnd, 'reason' | 'error'> {
    if (error instanceof TurnStopped && error.how === 'interrupted') {
      return {
        reason: 'interrupted',
        error: { code: 'turn_interrupted', message: 'The turn was interrupted.' },
      };
    }
    if (error instanceof RoundhouseError)
      return { reason: 'failed', error: { code: error.code, message: error.message } };
    if (!this.alive) {
      return {
        reason: 'failed',
        error: {
          code: 'agent_died',
          message: `The agent process ended (${this.#exit?.signal ?? this.#exit?.code}).`,
        },
      };
    }
    return { reason: 'failed', error: { code: 'agent_failed', message: errorText(error) } };
  }

  async *#watched(
    played: AsyncIterable<readonly AgentOutput[]>,
    watcher: AgentWatcher,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { sessionId } = this.spec;
    for await (const outputs of played) {
      for (const output of watcher.watches(sessionId) ? outputs : [])
        watcher.show(sessionId, { type: output.kind, json: JSON.stringify(output) });
      yield outputs;
    }
  }

  async *#play(
    prompt: AgentPrompt,
    text: string,
    plan: ScriptedTurn,
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    if (plan.accepts === false) await untilAborted(signal);
    yield [{ kind: 'accepted' }];
    const key = { agentSessionId: this.spec.agentSessionId, subpath: '' };
    await this.spec.transcripts.append(key, [{ type: 'user', uuid: prompt.promptId, text }]);
    this.#earlier.push(text);
    const writer = new MessageWriter(`msg_${prompt.promptId}`, prompt.model ?? this.#model);
    yield writer.open();
    try {
      for (const step of plan.steps) {
        signal.throwIfAborted();
        yield* this.#step(step, writer, signal);
      }
      signal.throwIfAborted();
    } catch (error) {
      const left = writer.cut();
      if (left.length > 0) yield left;
      throw error;
    }
    yield writer.close();
    await this.spec.transcripts.append(key, [
      { type: 'assistant', uuid: `${prompt.promptId}-answer` },
    ]);
  }

  async *#step(
    step: ScriptStep,
    writer: MessageWriter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    if ('text' in step) yield* writer.text(step.text, signal);
    else if ('thinking' in step) yield writer.thinking(step.thinking);
    else if ('waitMs' in step) await sleep(step.waitMs, signal, { keepAlive: true });
    else if ('hang' in step) await untilAborted(signal);
    else if ('restart' in step) yield writer.restart();
    else if ('fail' in step) throw new RoundhouseError(step.fail, step.message);
    else if ('stale' in step) {
      this.#stale = true;
      yield [{ kind: 'transcript_stale', error: 'scripted' }];
    } else if ('die' in step) {
      this.die(step.die);
      signal.throwIfAborted();
    } else if ('retryInMs' in step) {
      const retry = { attempt: 1, maxAttempts: 10, waitMs: step.retryInMs, status: step.status };
      const processedAt = wallClockIso();
      yield [
        event(
          { type: 'session.status_rescheduled', id: newEventId(), processed_at: processedAt },
          { retry },
        ),
      ];
      await sleep(step.retryInMs, signal, { keepAlive: true });
    } else if ('ask' in step) {
      const { use, outputs } = writer.toolUse(step.ask, step.input ?? {});
      yield [...outputs, { kind: 'answer_awaited', requestId: use.toolUseId }];
      const answer = await this.#decide(step.ask, use.toolUseId, step.input ?? {}, signal);
      yield [{ kind: 'answer_given', requestId: use.toolUseId }];
      yield writer.toolResult(
        use,
        answer.behavior === 'deny' ? answer.message : 'allowed',
        answer.behavior === 'deny',
      );
    } else {
      const { use, outputs } = writer.toolUse(step.tool, step.input ?? {});
      yield [...outputs, { kind: 'tool_started', toolUseId: use.toolUseId }];
      if (step.runMs !== undefined) await sleep(step.runMs, signal, { keepAlive: true });
      yield [
        ...writer.toolResult(use, step.output, step.isError === true),
        { kind: 'tool_finished', toolUseId: use.toolUseId },
      ];
    }
  }

  async #decide(
    toolName: string,
    toolUseId: string,
    input: Record<string, unknown>,
    signal: AbortSignal,
  ) {
    const request = {
      sessionId: this.spec.sessionId,
      turnId: null,
      toolUseId,
      toolName,
      input,
    };
    // An answerer that fails is one that denies, and its reason is its own.
    const answer = this.spec.answerer
      .decide(request, signal)
      .catch((): PermissionDecision => ({ behavior: 'deny', message: 'Nobody could answer.' }));
    return Promise.race([answer, untilAborted(signal)]);
  }
}

interface WrittenToolUse {
  readonly eventId: string;
  readonly toolUseId: string;
}

/** Writes one model message after the other: previews, then the record that completes each block. */
class MessageWriter {
  readonly #baseId: string;
  readonly #model: string;
  #messages = 0;
  #messageId = '';
  #index = 0;
  /** Of the record that completes the block which was begun last. */
  #blockId = '';
  #messageOpen = false;
  #blockOpen = false;
  #tools = 0;
  #spanId = '';

  constructor(baseId: string, model: string) {
    this.#baseId = baseId;
    this.#model = model;
  }

  open(): AgentOutput[] {
    this.#messages += 1;
    this.#messageOpen = true;
    this.#messageId = `${this.#baseId}-${this.#messages}`;
    this.#index = 0;
    this.#spanId = newEventId();
    const preview = {
      kind: 'message_start',
      messageId: this.#messageId,
      model: this.#model,
      inputTokens: 10,
    } as const;
    return [
      event(
        { type: 'span.model_request_start', id: this.#spanId, processed_at: wallClockIso() },
        { modelMessageId: this.#messageId, model: this.#model },
      ),
      { kind: 'preview', preview },
    ];
  }

  /** Ends what is open when the turn ends before its messages do. */
  cut(): AgentOutput[] {
    const stop = this.#blockOpen ? [this.#stop()] : [];
    return this.#messageOpen ? [...stop, ...this.close('', true)] : [];
  }

  close(stopReason = 'end_turn', isError = false): AgentOutput[] {
    this.#messageOpen = false;
    const usage = {
      input_tokens: 10,
      output_tokens: 5,
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 0,
    };
    return [
      event(
        {
          type: 'span.model_request_end',
          id: newEventId(),
          processed_at: wallClockIso(),
          is_error: isError,
          model_request_start_id: this.#spanId,
          model_usage: usage,
        },
        { modelMessageId: this.#messageId, stopReason, usage: USAGE_PER_TURN },
      ),
    ];
  }

  restart(): AgentOutput[] {
    return [...this.cut(), ...this.open()];
  }

  async *text(
    deltas: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    yield [this.#begin({ type: 'text' })];
    for (const text of deltas) {
      // A pause between deltas, as a socket makes one: others run meanwhile, and an interrupt is heard.
      await Promise.resolve();
      signal.throwIfAborted();
      yield [this.#preview({ kind: 'text_delta', text })];
    }
    yield [
      this.#stop(),
      this.#block(
        {
          type: 'agent.message',
          id: this.#blockId,
          processed_at: wallClockIso(),
          content: [{ type: 'text', text: deltas.join('') }],
        },
        {},
      ),
    ];
  }

  thinking(text: string): AgentOutput[] {
    return [
      this.#begin({ type: 'thinking' }),
      this.#preview({ kind: 'thinking_delta', text }),
      this.#stop(),
      this.#block(
        { type: 'agent.thinking', id: this.#blockId, processed_at: wallClockIso() },
        { thinking: text, thinkingSignature: 'scripted' },
      ),
    ];
  }

  toolUse(
    name: string,
    input: Record<string, unknown>,
  ): { readonly use: WrittenToolUse; readonly outputs: AgentOutput[] } {
    this.#tools += 1;
    const toolUseId = `${this.#messageId}-tool-${this.#tools}`;
    const begun = this.#begin({ type: 'tool_use', toolUseId, name });
    const use = { eventId: this.#blockId, toolUseId };
    const outputs = [
      begun,
      this.#preview({ kind: 'tool_input_delta', json: JSON.stringify(input) }),
      this.#stop(),
      this.#block(
        { type: 'agent.tool_use', id: use.eventId, processed_at: wallClockIso(), name, input },
        { toolUseId: use.toolUseId },
      ),
      ...this.close('tool_use'),
    ];
    return { use, outputs };
  }

  toolResult(use: WrittenToolUse, text: string, isError: boolean): AgentOutput[] {
    return [
      event(
        {
          type: 'agent.tool_result',
          id: newEventId(),
          processed_at: wallClockIso(),
          tool_use_id: use.eventId,
          content: [{ type: 'text', text }],
          is_error: isError,
        },
        { toolUseId: use.toolUseId },
      ),
      ...this.open(),
    ];
  }

  #begin(block: PreviewBlock): AgentOutput {
    this.#blockId = newEventId();
    this.#blockOpen = true;
    return this.#preview({ kind: 'block_start', block, eventId: this.#blockId });
  }

  #stop(): AgentOutput {
    this.#blockOpen = false;
    return this.#preview({ kind: 'block_stop' });
  }

  #preview(part: PreviewPart): AgentOutput {
    return {
      kind: 'preview',
      preview: { ...part, messageId: this.#messageId, index: this.#index },
    };
  }

  #block(body: SessionEvent, detail: EventDetail): AgentOutput {
    const output = event(body, {
      ...detail,
      modelMessageId: this.#messageId,
      blockIndex: this.#index,
      model: this.#model,
    });
    this.#index += 1;
    return output;
  }
}

type PreviewPart =
  | {
      readonly kind: 'block_start';
      readonly block: PreviewBlock;
      readonly eventId: string;
    }
  | { readonly kind: 'text_delta' | 'thinking_delta'; readonly text: string }
  | { readonly kind: 'tool_input_delta'; readonly json: string }
  | { readonly kind: 'block_stop' };

function event(body: SessionEvent, detail: EventDetail): AgentOutput {
  return { kind: 'event', body, detail };
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

function textOf(content: PromptContent): string {
  return content.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`)).join(' ');
}
