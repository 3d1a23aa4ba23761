import type { AgentOutput, AgentSpec, OpenCall } from '../../contracts/agent-driver.ts';
import type { CallAnswer, ClientToolResult } from '../../contracts/answerer.ts';
import { toolKinds } from '../../contracts/tool-names.ts';
import { toolPermission, type ToolPermission } from '../../contracts/tool-permission.ts';
import { heldEntry, resultEntry, type HeldCall, type HeldTurn } from './held-calls.ts';
import type { MessageWriter } from './message-writer.ts';
import type { ScriptStep, ScriptedAsk } from './script.ts';
import { appendEntry, type PlayedTurn } from './played-turn.ts';
import { untilAborted } from './turn-stopped.ts';

const NOBODY = 'Nobody could answer.';

/** A call that the client is asked about. */
interface Question extends PromiseWithResolvers<CallAnswer> {
  answered: boolean;
}

/** The calls of a process that need leave, or are of a client's tool: they are written, wait, and are carried out. */
export class AskedCalls {
  /** What clients have sent as results of their tools, in order. */
  readonly clientResults: ClientToolResult[] = [];
  readonly #spec: AgentSpec;
  readonly #onTool: (call: OpenCall) => void | Promise<void>;
  /** Calls of the turn that the client is asked about, and the answers that it has given. */
  readonly #questions = new Map<string, Question>();

  constructor(spec: AgentSpec, onTool: (call: OpenCall) => void | Promise<void>) {
    this.#spec = spec;
    this.#onTool = onTool;
  }

  /** What the client says to a call. It may come as soon as the call is shown. */
  answer(toolUseId: string, answer: CallAnswer): void {
    const question = this.#question(toolUseId);
    question.answered = true;
    question.resolve(answer);
  }

  /** The turn has ended: nothing of it is asked any more. */
  forget(): void {
    this.#questions.clear();
  }

  /** The calls of a step that need leave; undefined for any other step. */
  of(step: ScriptStep): readonly ScriptedAsk[] | undefined {
    if ('asks' in step) return step.asks;
    if ('ask' in step) return [{ ...step, tool: step.ask }];
    const asks = 'tool' in step && toolPermission(this.#spec.options, step.tool) === 'ask';
    return asks ? [step] : undefined;
  }

  /** Writes the calls of a step, waits for the answers and carries them out. */
  async *ask(
    asks: readonly ScriptedAsk[],
    step: number,
    turn: PlayedTurn,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { promptId, text, model, answers, writer, signal } = turn;
    const written = asks.map(({ tool, input = {}, output = 'allowed' }) => {
      const permission = this.#shownPermission(tool, answers);
      const { use, outputs } = this.#writeCall(writer, { tool, input }, permission);
      return { outputs, call: { ...use, toolName: tool, input, output } };
    });
    const calls = written.map(({ call }) => call);
    yield [...written.flatMap(({ outputs }) => outputs), ...writer.close('tool_use')];
    if (answers === 'client') yield* this.#hold({ promptId, text, model, step, calls });
    for (const call of calls) {
      if (answers === 'client') {
        const { promise } = this.#question(call.toolUseId);
        const answer = await Promise.race([promise, untilAborted(signal)]);
        yield* this.carryOut(call, answer, writer, signal);
        continue;
      }
      yield [{ kind: 'answer_awaited', requestId: call.toolUseId }];
      const answer = await this.#askAnswerer(call, signal);
      yield [{ kind: 'answer_given', requestId: call.toolUseId }];
      yield* this.carryOut(call, answer, writer, signal);
    }
    yield writer.open();
  }

  /** Does what was decided about a call, and writes its result. */
  async *carryOut(
    call: HeldCall,
    answer: CallAnswer,
    writer: MessageWriter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    signal.throwIfAborted();
    if (answer.behavior === 'allow') await this.#onTool(call);
    signal.throwIfAborted();
    await appendEntry(this.#spec, resultEntry(call.toolUseId));
    // The client has sent its own.
    if (answer.behavior === 'result' && call.shownByClient) {
      this.clientResults.push(answer.result);
      yield [{ kind: 'activity' }];
      return;
    }
    yield [writer.toolResult(call, ...resultOf(call, answer))];
  }

  async *#hold(held: HeldTurn): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    await appendEntry(this.#spec, heldEntry(held));
    const toolUseIds = held.calls.map(({ toolUseId }) => toolUseId);
    const waiting = toolUseIds.filter((id) => !this.#question(id).answered);
    if (waiting.length > 0) yield [{ kind: 'answers_awaited', toolUseIds: waiting }];
  }

  /** What the call says of its leave. The script may also ask for what the options allow, as an agent does by itself. */
  #shownPermission(tool: string, answers: PlayedTurn['answers']): ToolPermission {
    const byOptions = toolPermission(this.#spec.options, tool);
    if (byOptions === 'deny') return 'deny';
    if (answers === 'client') return 'ask';
    return byOptions === 'ask' ? 'deny' : byOptions;
  }

  #writeCall(
    writer: MessageWriter,
    { tool, input }: { readonly tool: string; readonly input: Record<string, unknown> },
    permission: ToolPermission,
  ): ReturnType<MessageWriter['toolUse']> {
    const kind = toolKinds(this.#spec.options)(tool);
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

  async #askAnswerer(
    { toolUseId, toolName, input }: OpenCall,
    signal: AbortSignal,
  ): Promise<CallAnswer> {
    const { sessionId, answerer, options } = this.#spec;
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

/** The text of a result, and whether it is an error. */
function resultOf(call: HeldCall, answer: CallAnswer): [text: string, isError: boolean] {
  if (answer.behavior === 'allow') return [call.output, false];
  if (answer.behavior === 'deny') return [answer.message, true];
  const texts = answer.result.content.map((block) => String(block['text'] ?? block['type']));
  return [texts.join(' '), answer.result.isError];
}
