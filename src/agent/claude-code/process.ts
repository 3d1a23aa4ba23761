import { randomUUID } from 'node:crypto';

import type { Query, SDKMessage } from '@anthropic-ai/claude-agent-sdk';

import type {
  AgentBinding,
  AgentExit,
  AgentOptions,
  AgentOutput,
  AgentProcess,
  AgentPrompt,
  AgentSpec,
  TakeUp,
} from '../../contracts/agent-driver.ts';
import type { CallAnswer } from '../../contracts/answerer.ts';
import type { Host } from '../../contracts/host.ts';
import type { Logger } from '../../telemetry/telemetry.ts';
import type { PromptChannel } from './prompt-channel.ts';
import type { Redact } from './redact.ts';
import type { ToolFacts } from './tool-use.ts';
import type { AgentChild } from './spawn.ts';
import type { TranscriptMirror } from './transcript-mirror.ts';
import { errorText, RoundhouseError } from '../../errors.ts';
import { unlessAborted, withinDeadline } from '../../time/deadline.ts';
import { deathText } from './death-text.ts';
import { abortedStart, startFailure } from './errors.ts';
import { HiddenTools, type ToolsQuery } from './hidden-tools.ts';
import { promptLifecycle } from './lifecycle.ts';
import { importLocalTranscript } from './local-transcript.ts';
import { toUserMessage } from './prompt-content.ts';
import { TurnRun, type TurnRunParts } from './turn-run.ts';
import { TurnTranscript } from './turn-transcript.ts';

/** The part of the SDK's query that a process uses. */
export type AgentQuery = AsyncIterable<SDKMessage> &
  Pick<Query, 'interrupt' | 'setModel' | 'close'> &
  ToolsQuery & {
    // What it says is of no use here.
    getContextUsage(options: { readonly detail: 'summary' }): Promise<unknown>;
  };

/** What the driver needs of the host. */
export type AgentHost = Pick<
  Host,
  'spawnPrefix' | 'registerProcess' | 'killMarked' | 'memoryBytes'
>;

/** The part of the operating system's process that is of use here. */
export type LiveChild = Pick<AgentChild, 'pid' | 'exited' | 'stderrTail' | 'kill'>;

export interface ClaudeCodeProcessParts {
  readonly spec: AgentSpec;
  readonly host: AgentHost;
  readonly child: LiveChild;
  readonly query: AgentQuery;
  /** Hands a process that was started without a folder the one it works in; rejects when it refuses. */
  readonly claim?: (workspace: string) => Promise<void>;
  readonly channel: PromptChannel;
  readonly mirror: TranscriptMirror;
  readonly redact: Redact;
  /** Called with everything that the process says. */
  readonly watch?: (message: SDKMessage) => void;
  /** Default: all tools are the agent's own. */
  readonly tools?: ToolFacts;
  readonly log: Logger;
}

/** The reason of an end in good order. */
const CLOSED = 'closed';
/** The reason of the end of a process whose turn waits for its client, and is left to another one. */
const LEFT_WAITING = 'left_waiting';
/** The reason of the end of a process that did not take its folder. */
const REFUSED = 'workspace_refused';
/** How long an orderly end may take; mid-turn the CLI itself takes 2 s. */
const CLOSE_LIMIT_MS = 5_000;
/** How long what a dead process had written may take to arrive. */
const DRAIN_LIMIT_MS = 300;
/** How long a process that gave a turn up unasked may take to show that a signal is ending it. */
const EXIT_CHECK_MS = 500;
/** How long {@link ClaudeCodeProcess.warmUp} may take; it is done in some 60 ms. */
const WARM_UP_LIMIT_MS = 2_000;
/** How long appends that were under way at the end may take. */
const MIRROR_LIMIT_MS = 5_000;

/**
 * The states of a process:
 *
 *     unbound -> binding -> live -> ending -> gone
 *        └─────────┴─────────┴────────^        ^
 *        └─────────┴─────────┴─────────────────┘
 *
 * `unbound`: has no folder to work in; only a process that was started without one begins here. `binding`: is being given
 * one. `live`: takes prompts. `ending`: we are ending it, for `reason`. `gone`: it has exited; what it started is being looked
 * after until `exited` settles. Straight to `gone` when it ends by itself.
 */
type ProcessState =
  | { readonly at: 'unbound' | 'binding' }
  | { readonly at: 'live' }
  | { readonly at: 'ending'; readonly reason: string }
  | { readonly at: 'gone'; readonly death: string };

/** One live Claude Code process. */
export class ClaudeCodeProcess implements AgentProcess {
  readonly clientId: string;
  readonly exited: Promise<AgentExit>;
  readonly #parts: ClaudeCodeProcessParts;
  readonly #transcript: TurnTranscript;
  readonly #hiddenTools: HiddenTools;
  readonly #pumped: Promise<void>;
  #state: ProcessState;
  #lastRun: TurnRun | undefined;
  /** The session's model, and the one that the process has now. */
  #sessionModel: string | undefined;
  #processModel: string | undefined;
  /** The turn that the process goes on with, until somebody reads it. */
  #takenUp: TurnRun | undefined;
  /** Why the store lacks entries, and whether a turn's reader knows; between turns there is none. */
  #stale: { readonly error: string; told: boolean } | undefined;

  constructor(parts: ClaudeCodeProcessParts) {
    this.#parts = parts;
    this.clientId = parts.spec.clientId;
    this.#state = { at: parts.spec.workspace === undefined ? 'unbound' : 'live' };
    this.#sessionModel = parts.spec.options.model;
    this.#processModel = namedModel(parts.spec.takeUp?.model ?? parts.spec.options.model);
    this.#transcript = new TurnTranscript(parts.spec.agentSessionId, parts.mirror);
    this.#hiddenTools = new HiddenTools(parts.spec.options);
    parts.mirror.onStored = () => this.#run?.held.look();
    // It goes on by itself, and what it says must find its turn.
    if (parts.spec.takeUp !== undefined) this.#beginTakeUp(parts.spec.takeUp);
    this.#pumped = this.#pump();
    this.exited = this.#untilGone();
  }

  get pid(): number | undefined {
    return this.#parts.child.pid;
  }

  get alive(): boolean {
    return this.#state.at !== 'ending' && this.#state.at !== 'gone';
  }

  /** The turn that has no end yet. */
  get currentRun(): TurnRun | undefined {
    return this.#run;
  }

  get #run(): TurnRun | undefined {
    return this.#lastRun?.turn.ended === false ? this.#lastRun : undefined;
  }

  async bind({ workspace }: AgentBinding, signal: AbortSignal): Promise<void> {
    const { claim, redact } = this.#parts;
    if (this.#state.at !== 'unbound' || claim === undefined) {
      throw new RoundhouseError(
        'internal',
        'The agent process is not one that waits for a workspace.',
      );
    }
    this.#state = { at: 'binding' };
    try {
      await unlessAborted(claim(workspace), signal);
      if (!this.alive) throw startFailure('The agent process was ended while it was being bound.');
      this.#state = { at: 'live' };
    } catch (error) {
      await this.destroy(REFUSED);
      if (signal.aborted) throw abortedStart(signal);
      if (error instanceof RoundhouseError) throw error;
      const text = redact(errorText(error));
      throw startFailure(
        `The agent process did not take the workspace ${workspace}: ${text}. Expected one that Claude Code works in; start another process.`,
      );
    }
  }

  prompt(prompt: AgentPrompt): AsyncIterable<readonly AgentOutput[]> {
    if (this.#state.at === 'unbound' || this.#state.at === 'binding') {
      throw new RoundhouseError('internal', 'The agent process has no workspace yet; bind it.');
    }
    if (this.#run !== undefined) {
      throw new RoundhouseError(
        'session_busy',
        'The agent process runs a turn; the next prompt may follow its end.',
      );
    }
    const message = toUserMessage(prompt);
    const run = this.#newRun(prompt.promptId, { answers: prompt.answers });
    if (this.#state.at === 'gone') {
      run.fail('agent_died', this.#state.death, false);
    } else if (this.#state.at === 'ending') {
      run.fail('agent_died', `The agent process is being ended: ${this.#state.reason}.`, false);
    } else {
      this.#lastRun = run;
      this.#transcript.begin(message);
      this.#tellStale();
      void this.#deliver(run, prompt.model ?? this.#sessionModel, message);
    }
    return run.turn;
  }

  answer(toolUseId: string, answer: CallAnswer): void {
    this.#run?.answer(toolUseId, answer);
  }

  takeUp(answers: 'client' | 'nobody'): AsyncIterable<readonly AgentOutput[]> {
    const run = this.#takenUp;
    if (run === undefined) {
      throw new RoundhouseError(
        'internal',
        'The agent process has no turn to take up, or it was taken up before.',
      );
    }
    this.#takenUp = undefined;
    run.takenUpBy(answers);
    return run.turn;
  }

  /**
   * Counts the context twice: that loads what the first request needs, and takes 35 ms off the first text of a new
   * conversation, 80 off that of one of 100 turns (docs/benchmarks.md). After a turn there is nothing left to load.
   */
  async warmUp(): Promise<void> {
    // One without a folder answers nothing yet.
    if (this.#state.at !== 'live' || this.#lastRun !== undefined) return;
    await withinDeadline(this.#countContextTwice(), WARM_UP_LIMIT_MS);
  }

  async interrupt(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    run.markInterrupted();
    // An interrupt that overtakes its prompt is lost: the turn would run in full.
    await run.turn.taken;
    await this.#interruptAgent(run);
  }

  async change(options: AgentOptions): Promise<void> {
    const { model, ...fixed } = options;
    const names = Object.entries(fixed).flatMap(([name, value]) =>
      value === undefined ? [] : [name],
    );
    if (names.length > 0) {
      throw new RoundhouseError(
        'unsupported_field',
        `A live agent process can't change ${names.join(', ')}; expected only model. Start a new process.`,
      );
    }
    // The process learns it with the next prompt, together with that prompt's own wish.
    if (model !== undefined) this.#sessionModel = model;
  }

  async memoryBytes(): Promise<number | undefined> {
    const { pid } = this;
    return pid === undefined || this.#state.at === 'gone'
      ? undefined
      : this.#parts.host.memoryBytes(pid);
  }

  async close(): Promise<AgentExit> {
    // At the end of its input the agent would answer what waits by itself, and talk on.
    if (this.#run?.held.waiting === true) return this.destroy(LEFT_WAITING);
    if (this.alive) {
      this.#state = { at: 'ending', reason: CLOSED };
      this.#parts.channel.close();
      this.#parts.query.close();
      const outcome = await withinDeadline(this.#parts.child.exited, CLOSE_LIMIT_MS);
      if (outcome.timedOut) await this.#kill();
    }
    return this.exited;
  }

  async destroy(reason: string): Promise<AgentExit> {
    if (this.alive) this.#state = { at: 'ending', reason };
    if (this.#state.at !== 'gone') await this.#kill();
    return this.exited;
  }

  #beginTakeUp(takeUp: TakeUp): void {
    const run = this.#newRun(randomUUID(), { takeUp });
    this.#lastRun = run;
    this.#takenUp = run;
    this.#parts.mirror.beginTurn();
    run.turn.accept();
  }

  #newRun(promptId: string, parts: Pick<TurnRunParts, 'answers' | 'takeUp'>): TurnRun {
    const { redact, mirror, spec, tools } = this.#parts;
    return new TurnRun(promptId, redact, {
      ...parts,
      options: spec.options,
      ...(tools !== undefined && { tools }),
      // A store that fails is told of in another way, and keeps nobody from being asked.
      // The results of calls before it too: another process would carry out again what has none in the store.
      isCommitted: (toolUseId) =>
        this.#stale !== undefined || (mirror.hasCall(toolUseId) && this.#transcript.isStored),
      commit: () => this.#commit(),
    });
  }

  /** Puts into the store what the agent has not handed on. Never rejects. */
  async #commit(): Promise<void> {
    try {
      await this.#transcript.complete();
    } catch (error) {
      const { log } = this.#parts;
      log.error('agent_transcript_lost', { clientId: this.clientId, error: errorText(error) });
    }
  }

  async #countContextTwice(): Promise<void> {
    try {
      for (let round = 0; round < 2; round += 1) {
        // The full one would send 16 requests to the API.
        await this.#parts.query.getContextUsage({ detail: 'summary' });
      }
    } catch {
      // Only a faster answer was at stake; a process that has died shows at its end.
    }
  }

  /**
   * Ends everything that carries our mark. The host asks with SIGTERM first and waits half a second, because on SIGKILL
   * Claude Code orphans its tools, also those that have shed the mark; then it kills. The last kill is for hosts that can't
   * see marks.
   */
  async #kill(): Promise<void> {
    await this.#killMarked();
    this.#parts.child.kill('SIGKILL');
  }

  async #killMarked(): Promise<void> {
    try {
      await this.#parts.host.killMarked(this.clientId);
    } catch (error) {
      this.#parts.log.error('agent_kill_failed', {
        clientId: this.clientId,
        error: errorText(error),
      });
    }
  }

  async #deliver(
    run: TurnRun,
    model: string | undefined,
    message: Parameters<PromptChannel['write']>[0],
  ): Promise<void> {
    try {
      const wanted = namedModel(model);
      if (wanted !== this.#processModel) {
        await this.#parts.query.setModel(wanted);
        this.#processModel = wanted;
      }
      await this.#hideTools();
      if (!run.turn.ended) this.#parts.channel.write(message);
    } catch (error) {
      // When the process has died, its end is the turn's end, and says more.
      await withinDeadline(this.exited, DRAIN_LIMIT_MS);
      run.fail('agent_failed', `The agent refused the model: ${errorText(error)}`, this.alive);
    }
  }

  /** What could not be hidden is still not run. */
  async #hideTools(): Promise<void> {
    try {
      await this.#hiddenTools.refresh(this.#parts.query);
    } catch (error) {
      this.#parts.log.warn('agent_tools_not_hidden', {
        clientId: this.clientId,
        error: this.#parts.redact(errorText(error)),
      });
    }
  }

  /** Reads what the process says, for its whole life. */
  async #pump(): Promise<void> {
    try {
      for await (const message of this.#parts.query) this.#receive(message);
    } catch (error) {
      // The SDK throws when the process ends unasked; how it ended is told by our own handle.
      this.#parts.log.debug?.('agent_stream_ended', {
        clientId: this.clientId,
        error: this.#parts.redact(errorText(error)),
      });
    }
  }

  #receive(message: SDKMessage): void {
    this.#parts.watch?.(message);
    const lifecycle = promptLifecycle(message);
    if (lifecycle !== undefined) {
      this.#follow(lifecycle.promptId, lifecycle.state);
    } else if (message.type === 'system' && message.subtype === 'mirror_error') {
      this.#stale ??= { error: this.#parts.redact(message.error), told: false };
      this.#tellStale();
    } else if (message.type === 'system' && message.subtype === 'session_writes_lost') {
      // It comes at the end of the process; each turn has been completed at its own.
      const { error_code: code, lost } = message;
      const what = lost.join(', ');
      this.#parts.log.warn('agent_writes_lost', { clientId: this.clientId, code, lost: what });
    } else {
      const run = this.#run;
      // Before its prompt was taken, what arrives is a rest of an earlier turn.
      if (run?.turn.running !== true) return;
      this.#transcript.note(message);
      if (run.isReport(message) && this.#transcript.lacks) void this.#completeThenEnd(run, message);
      else this.#hand(message, run);
    }
  }

  #hand(message: SDKMessage, run: TurnRun): void {
    const request = run.receive(message, this.alive);
    if (request?.wants === 'interrupt') void this.#interruptAgent(run);
    if (request?.wants === 'exit-check') void this.#finishUnlessDying(request.finish);
  }

  /** A turn does not end before the store has what it came to: what is not there would be forgotten with this process. */
  async #completeThenEnd(run: TurnRun, report: SDKMessage): Promise<void> {
    const { log } = this.#parts;
    run.awaitReport();
    try {
      const entries = await this.#transcript.complete();
      if (entries > 0) log.warn('agent_transcript_repaired', { clientId: this.clientId, entries });
      this.#hand(report, run);
    } catch (error) {
      log.error('agent_transcript_lost', { clientId: this.clientId, error: errorText(error) });
      const message =
        'The agent could not keep the turn, and neither could the store: the model forgets it with the process.';
      run.fail('storage_failed', message, this.alive);
    }
  }

  async #finishUnlessDying(finish: (processUsable: boolean) => void): Promise<void> {
    const outcome = await withinDeadline(this.#parts.child.exited, EXIT_CHECK_MS);
    // The end of the process ends the turn otherwise.
    if (outcome.timedOut) finish(this.alive);
  }

  #follow(promptId: string, state: 'queued' | 'started' | 'completed' | 'cancelled'): void {
    const run = this.#run;
    if (run?.turn.promptId !== promptId) return;
    if (state === 'queued' || state === 'started') run.turn.accept();
    else run.settled(this.alive);
  }

  async #interruptAgent({ turn }: TurnRun): Promise<void> {
    if (turn.ended) return;
    try {
      // A process that is stuck never answers; whoever waits then ends it, and with it the turn.
      await Promise.race([this.#parts.query.interrupt(), turn.finished]);
    } catch (error) {
      this.#parts.log.debug?.('agent_interrupt_failed', {
        clientId: this.clientId,
        error: errorText(error),
      });
    }
  }

  #tellStale(): void {
    const run = this.#run;
    if (run === undefined || this.#stale === undefined || this.#stale.told) return;
    this.#stale.told = true;
    run.turn.push({ kind: 'transcript_stale', error: this.#stale.error });
    run.held.look();
  }

  async #untilGone(): Promise<AgentExit> {
    const { child, log, mirror } = this.#parts;
    void this.#pumped.then(() => this.#endWithoutStream());
    const { code, signal } = await child.exited;
    await withinDeadline(this.#pumped, DRAIN_LIMIT_MS);

    const reason = this.#state.at === 'ending' ? this.#state.reason : undefined;
    const facts = { code, signal, reason, stderrTail: child.stderrTail };
    const run = this.#run;
    this.#state = { at: 'gone', death: deathText(facts) };
    run?.fail('agent_died', this.#state.death, false);
    if (reason === undefined) log.warn('agent_died', { clientId: this.clientId, code, signal });
    await this.#killMarked();
    await withinDeadline(mirror.settled(), MIRROR_LIMIT_MS);
    const inGoodOrder = reason === CLOSED && run === undefined;
    if (!inGoodOrder && this.#stale === undefined) await this.#completeTranscript();
    return {
      code,
      signal,
      stderrTail: facts.stderrTail,
      ...(reason === undefined ? {} : { reason }),
      transcriptStale: this.#stale !== undefined,
    };
  }

  /** A process whose output has ended is of no use any more, even if it lives. */
  async #endWithoutStream(): Promise<void> {
    const outcome = await withinDeadline(this.#parts.child.exited, DRAIN_LIMIT_MS);
    if (outcome.timedOut && this.alive) await this.destroy('its output ended');
  }

  /** A process that was killed may have written more than it handed on. */
  async #completeTranscript(): Promise<void> {
    const { spec, log } = this.#parts;
    try {
      const entries = await importLocalTranscript(
        spec.processFolder,
        spec.agentSessionId,
        spec.transcripts,
      );
      if (entries > 0) log.info('agent_transcript_completed', { clientId: this.clientId, entries });
    } catch (error) {
      this.#stale ??= { error: errorText(error), told: false };
      log.warn('agent_transcript_incomplete', { clientId: this.clientId, error: errorText(error) });
    }
  }
}

/** `default` is the agent's word for the model that it takes unasked: asking for it would cost a prompt the way there and back. */
function namedModel(model: string | undefined): string | undefined {
  return model === 'default' ? undefined : model;
}
