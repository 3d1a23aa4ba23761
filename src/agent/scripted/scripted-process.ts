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
import { errorText, RoundhouseError } from '../../errors.ts';
import { NO_USAGE, type PromptContent, type TurnEnd, type Usage } from '../../events/record.ts';
import { unlessAborted } from '../../time/deadline.ts';
import { AskedCalls } from './asked-calls.ts';
import { heldTurn } from './held-calls.ts';
import { MessageWriter } from './message-writer.ts';
import { appendEntry, type PlayedTurn } from './played-turn.ts';
import { ProcessLife } from './process-life.ts';
import type { Script, ScriptedTurn } from './script.ts';
import { ScriptPlayer } from './script-player.ts';
import { failureOf, TurnStopped, untilAborted } from './turn-stopped.ts';

const DEFAULT_MODEL = 'scripted-1';

/** Tokens of a scripted turn: fixed, so that sums are easy to check. */
const USAGE_PER_TURN: Usage = { ...NO_USAGE, inputTokens: 10, outputTokens: 5 };

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

/** An agent process that lives in this process and plays a script. It keeps its conversation in the transcript store. */
export class ScriptedProcess implements AgentProcess {
  readonly clientId: string;
  readonly pid = undefined;
  /** How often it was made ready for its first prompt. */
  warmUps = 0;
  readonly spec: AgentSpec;
  readonly #script: Script;
  readonly #earlier: string[];
  readonly #onBind: ScriptedProcessParts['onBind'];
  readonly #watcher: AgentWatcher | undefined;
  readonly #life: ProcessLife;
  readonly #calls: AskedCalls;
  readonly #player: ScriptPlayer;
  #takeUp: TakeUp | undefined;
  #workspace: string | undefined;
  #binding = false;
  #model: string;
  #turns = 0;
  #turn: AbortController | undefined;
  #ignoresInterrupts = false;
  #usage = USAGE_PER_TURN;

  constructor({ spec, script, earlier, exitMs, onBind, onTool, watcher }: ScriptedProcessParts) {
    this.clientId = spec.clientId;
    this.spec = spec;
    this.#script = script;
    this.#earlier = [...earlier];
    this.#onBind = onBind;
    this.#watcher = watcher;
    this.#life = new ProcessLife(exitMs, () => this.#turn?.abort(new TurnStopped('exited')));
    this.#calls = new AskedCalls(spec, (call) => onTool?.(call, this));
    this.#player = new ScriptPlayer({
      spec,
      calls: this.#calls,
      die: (signal) => this.die(signal),
      noteStale: () => (this.#life.stale = true),
    });
    this.#takeUp = spec.takeUp;
    this.#workspace = spec.workspace;
    this.#model = spec.options.model ?? DEFAULT_MODEL;
  }

  get exited(): Promise<AgentExit> {
    return this.#life.exited;
  }

  /** What clients have sent as results of their tools, in order. */
  get clientResults(): readonly ClientToolResult[] {
    return this.#calls.clientResults;
  }

  /** The folder it works in; undefined while it waits for one. */
  get workspace(): string | undefined {
    return this.#workspace;
  }

  /** Whether {@link AgentProcess.exited} has settled. */
  get gone(): boolean {
    return this.#life.gone;
  }

  get alive(): boolean {
    return this.#life.exit === undefined;
  }

  async bind({ workspace }: AgentBinding, signal: AbortSignal): Promise<void> {
    if (this.#workspace !== undefined || this.#binding || !this.alive)
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
    this.#calls.answer(toolUseId, answer);
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
      end = {
        ...failureOf(error, this.#life.exit),
        usage: NO_USAGE,
        modelRequests: 0,
        stopReason: null,
      };
    } finally {
      if (this.#turn === turn) this.#turn = undefined;
      this.#calls.forget();
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
    this.#life.end({ code: 0, signal: null, reason: 'closed' });
    return this.exited;
  }

  destroy(reason: string): Promise<AgentExit> {
    this.#life.end({ code: null, signal: 'SIGKILL', reason });
    return this.exited;
  }

  /** For tests: the process dies by itself, as by `kill -9`. */
  die(signal = 'SIGKILL', { transcriptStale = this.#life.stale } = {}): void {
    this.#life.end({ code: null, signal, transcriptStale });
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
    turn: PlayedTurn,
    plan: ScriptedTurn,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { promptId, text, writer, signal } = turn;
    if (plan.accepts === false) await untilAborted(signal);
    yield [{ kind: 'accepted' }];
    await appendEntry(this.spec, { type: 'user', uuid: promptId, text });
    this.#earlier.push(text);
    yield writer.open();
    yield* this.#player.play(turn, plan.steps, 0);
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
    yield* this.#calls.carryOut({ ...own, eventId }, decision, writer, signal);
    if (!last) return;
    yield writer.open();
    const turn = { promptId, text, model, answers, writer, signal };
    yield* this.#player.play(turn, plan.steps, step + 1);
  }
}

function textOf(content: PromptContent): string {
  return content.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`)).join(' ');
}
