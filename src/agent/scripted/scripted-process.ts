import type {
  AgentBinding,
  AgentExit,
  AgentOptions,
  AgentOutput,
  AgentProcess,
  AgentPrompt,
  AgentSpec,
  OpenCall,
  TakeUp,
} from '../../contracts/agent-driver.ts';
import type { AgentWatcher } from '../../contracts/agent-watcher.ts';
import type { CallAnswer, ClientToolResult } from '../../contracts/answerer.ts';
import { toolKinds } from '../../contracts/tool-names.ts';
import { toolPermission, type ToolPermission } from '../../contracts/tool-permission.ts';
import type { TranscriptEntry } from '../../contracts/transcripts.ts';
import { heldEntry, heldTurn, resultEntry, type HeldCall, type HeldTurn } from './held-calls.ts';
import type { ScriptStep, Script, ScriptedAsk, ScriptedTurn } from './script.ts';
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
  readonly onTool?:
    | ((call: OpenCall, process: ScriptedProcess) => void | Promise<void>)
    | undefined;
}

/** A call that the client is asked about. */
interface Question extends PromiseWithResolvers<CallAnswer> {
  answered: boolean;
}

const NOBODY = 'Nobody could answer.';

/** One turn as it is being played. */
interface Playing {
  readonly promptId: string;
  readonly text: string;
  readonly model: string;
  readonly answers: 'client' | 'nobody';
  readonly writer: MessageWriter;
  readonly signal: AbortSignal;
}

/** An agent process that lives in this process and plays a script. It keeps its conversation in the transcript store. */
export class ScriptedProcess implements AgentProcess {
  readonly clientId: string;
  readonly pid = undefined;
  readonly exited: Promise<AgentExit>;
  /** What clients have sent as results of their tools, in order. */
  readonly clientResults: ClientToolResult[] = [];
  /** How often it was made ready for its first prompt. */
  warmUps = 0;
  readonly spec: AgentSpec;
  readonly #script: Script;
  readonly #earlier: string[];
  readonly #exitMs: number;
  readonly #onBind: ScriptedProcessParts['onBind'];
  readonly #watcher: AgentWatcher | undefined;
  readonly #onTool: ScriptedProcessParts['onTool'];
  /** Calls of the turn that the client is asked about, and the answers that it has given. */
  readonly #questions = new Map<string, Question>();
  #takeUp: TakeUp | undefined;
  #workspace: string | undefined;
  #binding = false;
  readonly #settleExit: (exit: AgentExit) => void;
  #exit: AgentExit | undefined;
  #gone = false;
  #model: string;
  #turns = 0;
  #turn: AbortController | undefined;
  #ignoresInterrupts = false;
  #usage = USAGE_PER_TURN;
  #stale = false;

  constructor({ spec, script, earlier, exitMs, onBind, onTool, watcher }: ScriptedProcessParts) {
    this.clientId = spec.clientId;
    this.spec = spec;
    this.#script = script;
    this.#earlier = [...earlier];
    this.#exitMs = exitMs;
    this.#onBind = onBind;
    this.#watcher = watcher;
    this.#onTool = onTool;
    this.#takeUp = spec.takeUp;
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
    const text = textOf(prompt.content);
    const model = prompt.model ?? this.#model;
    yield* this.#turnOf((signal) => {
      const plan = this.#planOf(text, model, this.#earlier, prompt.system);
      this.#follow(plan);
      const { promptId, answers = 'nobody' } = prompt;
      const writer = new MessageWriter(`msg_${promptId}`, model, this.#usage);
      return this.#play({ promptId, text, model, answers, writer, signal }, plan);
    });
  }

  async *takeUp(
    answers: 'client' | 'nobody',
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const takeUp = this.#takeUp;
    this.#takeUp = undefined;
    if (takeUp === undefined)
      throw new RoundhouseError('internal', 'The process has no turn to take up.');
    yield* this.#turnOf((signal) => this.#goOn(takeUp, answers, signal));
  }

  answer(toolUseId: string, answer: CallAnswer): void {
    // It may come as soon as the call is shown.
    const question = this.#question(toolUseId);
    question.answered = true;
    question.resolve(answer);
  }

  async *#turnOf(
    play: (signal: AbortSignal) => AsyncGenerator<readonly AgentOutput[], void, undefined>,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    if (this.#turn !== undefined)
      throw new RoundhouseError('internal', 'Two prompts were written to one process at once.');
    if (this.#workspace === undefined)
      throw new RoundhouseError('internal', 'The process has no workspace yet; bind it.');
    const turn = new AbortController();
    this.#turn = turn;
    this.#follow({ steps: [] });
    let end: TurnEnd;
    try {
      if (!this.alive) throw new TurnStopped('exited');
      const played = play(turn.signal);
      yield* this.#watcher === undefined ? played : this.#watched(played, this.#watcher);
      end = {
        reason: 'completed',
        usage: this.#usage,
        modelRequests: 1,
        stopReason: 'end_turn',
      };
    } catch (error) {
      end = { ...this.#failure(error), usage: NO_USAGE, modelRequests: 0, stopReason: null };
    } finally {
      if (this.#turn === turn) this.#turn = undefined;
      this.#questions.clear();
    }
    yield [{ kind: 'ended', end, processUsable: this.alive }];
  }

  #follow({ interruptible, usage }: ScriptedTurn): void {
    this.#ignoresInterrupts = interruptible === false;
    this.#usage = { ...USAGE_PER_TURN, ...usage };
  }

  #planOf(text: string, model: string, earlier: readonly string[], system?: string): ScriptedTurn {
    const plan = this.#script({
      text,
      system,
      earlier: [...earlier],
      model,
      workspace: this.#workspace ?? '',
      turnsOfProcess: this.#turns,
    });
    this.#turns += 1;
    return plan;
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
    playing: Playing,
    plan: ScriptedTurn,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { promptId, text, writer, signal } = playing;
    if (plan.accepts === false) await untilAborted(signal);
    yield [{ kind: 'accepted' }];
    await this.#append({ type: 'user', uuid: promptId, text });
    this.#earlier.push(text);
    yield writer.open();
    yield* this.#steps(playing, plan.steps, 0);
  }

  /** Goes on with a turn of an earlier process: one call, and what follows it if it is the last. */
  async *#goOn(
    { call, eventId, decision, last }: TakeUp,
    answers: 'client' | 'nobody',
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { agentSessionId, transcripts } = this.spec;
    const found = await heldTurn(agentSessionId, transcripts);
    const own = found?.open.find(({ toolUseId }) => toolUseId === call.toolUseId);
    if (found === undefined || own === undefined)
      throw new RoundhouseError('agent_failed', `No call ${call.toolUseId} to take up.`);
    yield [{ kind: 'accepted' }];
    const { promptId, text, model, step } = found.held;
    const before = this.#earlier.slice(0, this.#earlier.lastIndexOf(text));
    const plan = this.#planOf(text, model, before);
    this.#follow(plan);
    const writer = new MessageWriter(`msg_${promptId}_${own.toolUseId}`, model, this.#usage);
    yield* this.#carryOut({ ...own, eventId }, decision, writer, signal);
    if (!last) return;
    yield writer.open();
    yield* this.#steps({ promptId, text, model, answers, writer, signal }, plan.steps, step + 1);
  }

  async *#steps(
    playing: Playing,
    steps: readonly ScriptStep[],
    from: number,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { promptId, writer, signal } = playing;
    try {
      for (const [index, step] of steps.entries()) {
        if (index < from) continue;
        signal.throwIfAborted();
        const asks = this.#asksOf(step);
        if (asks === undefined) yield* this.#step(step, writer, signal);
        else yield* this.#ask(asks, index, playing);
      }
      signal.throwIfAborted();
    } catch (error) {
      const left = writer.cut();
      if (left.length > 0) yield left;
      throw error;
    }
    yield writer.close();
    await this.#append({ type: 'assistant', uuid: `${promptId}-answer` });
  }

  /** The calls of a step that need leave. */
  #asksOf(step: ScriptStep): readonly ScriptedAsk[] | undefined {
    if ('asks' in step) return step.asks;
    if ('ask' in step) return [{ ...step, tool: step.ask }];
    const asks = 'tool' in step && toolPermission(this.spec.options, step.tool) === 'ask';
    return asks ? [step] : undefined;
  }

  async *#ask(
    asks: readonly ScriptedAsk[],
    step: number,
    playing: Playing,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { promptId, text, model, answers, writer, signal } = playing;
    const written = asks.map(({ tool, input = {}, output = 'allowed' }) => {
      const byOptions = toolPermission(this.spec.options, tool);
      const permission = byOptions === 'ask' && answers === 'nobody' ? 'deny' : byOptions;
      const { use, outputs } = this.#writeCall(writer, { tool, input }, permission);
      return { outputs, call: { ...use, toolName: tool, input, output } };
    });
    const calls = written.map(({ call }) => call);
    yield [...written.flatMap(({ outputs }) => outputs), ...writer.close('tool_use')];
    if (answers === 'client') yield* this.#hold({ promptId, text, model, step, calls });
    for (const call of calls) {
      if (answers === 'client') {
        const { promise } = this.#question(call.toolUseId);
        yield* this.#carryOut(
          call,
          await Promise.race([promise, untilAborted(signal)]),
          writer,
          signal,
        );
        continue;
      }
      yield [{ kind: 'answer_awaited', requestId: call.toolUseId }];
      const answer = await this.#askAnswerer(call, signal);
      yield [{ kind: 'answer_given', requestId: call.toolUseId }];
      yield* this.#carryOut(call, answer, writer, signal);
    }
    yield writer.open();
  }

  async *#hold(held: HeldTurn): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    await this.#append(heldEntry(held));
    const toolUseIds = held.calls.map(({ toolUseId }) => toolUseId);
    const waiting = toolUseIds.filter((id) => !this.#question(id).answered);
    if (waiting.length > 0) yield [{ kind: 'answers_awaited', toolUseIds: waiting }];
  }

  #writeCall(
    writer: MessageWriter,
    { tool, input }: { readonly tool: string; readonly input: Record<string, unknown> },
    permission: ToolPermission,
  ): ReturnType<MessageWriter['toolUse']> {
    const kind = toolKinds(this.spec.options)(tool);
    if (kind.kind !== 'client') return writer.toolUse(tool, input, permission);
    // What the client is not asked about is no call for it.
    if (permission === 'deny') return writer.toolUse(kind.name, input, permission);
    return writer.toolUse(kind.name, input, permission, 'agent.custom_tool_use');
  }

  #question(toolUseId: string): Question {
    const known = this.#questions.get(toolUseId);
    if (known !== undefined) return known;
    const question = { ...Promise.withResolvers<CallAnswer>(), answered: false };
    this.#questions.set(toolUseId, question);
    return question;
  }

  async *#carryOut(
    call: HeldCall,
    answer: CallAnswer,
    writer: MessageWriter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    signal.throwIfAborted();
    if (answer.behavior === 'allow') await this.#onTool?.(call, this);
    signal.throwIfAborted();
    await this.#append(resultEntry(call.toolUseId));
    // The client has sent its own.
    if (answer.behavior === 'result' && call.shownByClient) {
      this.clientResults.push(answer.result);
      yield [{ kind: 'activity' }];
      return;
    }
    yield [writer.toolResult(call, ...resultOf(call, answer))];
  }

  async #append(entry: TranscriptEntry): Promise<void> {
    const { agentSessionId, transcripts } = this.spec;
    await transcripts.append({ agentSessionId, subpath: '' }, [entry]);
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
    } else if ('tool' in step) {
      const { use, outputs } = writer.toolUse(step.tool, step.input ?? {});
      yield [
        ...outputs,
        ...writer.close('tool_use'),
        { kind: 'tool_started', toolUseId: use.toolUseId },
      ];
      if (step.runMs !== undefined) await sleep(step.runMs, signal, { keepAlive: true });
      yield [
        writer.toolResult(use, step.output, step.isError === true),
        ...writer.open(),
        { kind: 'tool_finished', toolUseId: use.toolUseId },
      ];
    }
  }

  async #askAnswerer(
    { toolUseId, toolName, input }: OpenCall,
    signal: AbortSignal,
  ): Promise<CallAnswer> {
    const { sessionId, answerer, options } = this.spec;
    const request = { sessionId, turnId: null, toolUseId, toolName, input };
    const tool = toolKinds(options)(toolName);
    const answer: Promise<CallAnswer> =
      tool.kind === 'client'
        ? answerer
            .callTool({ ...request, toolName: tool.name }, signal)
            .then((result) => ({ behavior: 'result', result }))
        : answerer.decide(request, signal);
    // An answerer that fails is one that denies, and its reason is its own.
    const denied = answer.catch((): CallAnswer => ({ behavior: 'deny', message: NOBODY }));
    return Promise.race([denied, untilAborted(signal)]);
  }
}

interface WrittenToolUse {
  readonly eventId: string;
  readonly toolUseId: string;
  /** Whether its result is an event of the client's own. */
  readonly shownByClient: boolean;
}

/** The text of a result, and whether it is an error. */
function resultOf(call: HeldCall, answer: CallAnswer): [text: string, isError: boolean] {
  if (answer.behavior === 'allow') return [call.output, false];
  if (answer.behavior === 'deny') return [answer.message, true];
  const texts = answer.result.content.map((block) => String(block['text'] ?? block['type']));
  return [texts.join(' '), answer.result.isError];
}

/** Writes one model message after the other: previews, then the record that completes each block. */
class MessageWriter {
  readonly #baseId: string;
  readonly #model: string;
  readonly #usage: Usage;
  #messages = 0;
  #messageId = '';
  #index = 0;
  /** Of the record that completes the block which was begun last. */
  #blockId = '';
  #messageOpen = false;
  #blockOpen = false;
  #tools = 0;
  #spanId = '';

  constructor(baseId: string, model: string, usage: Usage) {
    this.#baseId = baseId;
    this.#model = model;
    this.#usage = { ...usage, costUsd: 0 };
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
      input_tokens: this.#usage.inputTokens,
      output_tokens: this.#usage.outputTokens,
      cache_read_input_tokens: this.#usage.cacheReadInputTokens,
      cache_creation_input_tokens: this.#usage.cacheCreationInputTokens,
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
        { modelMessageId: this.#messageId, model: this.#model, stopReason, usage: this.#usage },
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
    permission?: ToolPermission,
    type: 'agent.tool_use' | 'agent.custom_tool_use' = 'agent.tool_use',
  ): { readonly use: WrittenToolUse; readonly outputs: AgentOutput[] } {
    this.#tools += 1;
    const toolUseId = `${this.#messageId}-tool-${this.#tools}`;
    const begun = this.#begin({ type: 'tool_use', toolUseId, name });
    const shownByClient = type === 'agent.custom_tool_use';
    const use = { eventId: this.#blockId, toolUseId, shownByClient };
    const outputs = [
      begun,
      this.#preview({ kind: 'tool_input_delta', json: JSON.stringify(input) }),
      this.#stop(),
      this.#block(
        {
          type,
          id: use.eventId,
          processed_at: wallClockIso(),
          name,
          input,
          ...(permission !== undefined && !shownByClient && { evaluated_permission: permission }),
        },
        { toolUseId: use.toolUseId },
      ),
    ];
    return { use, outputs };
  }

  toolResult(use: WrittenToolUse, text: string, isError: boolean): AgentOutput {
    return event(
      {
        type: 'agent.tool_result',
        id: newEventId(),
        processed_at: wallClockIso(),
        tool_use_id: use.eventId,
        content: [{ type: 'text', text }],
        is_error: isError,
      },
      { toolUseId: use.toolUseId },
    );
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
