import { echoScript, type Script } from './script.ts';
import { heldTurn } from './held-calls.ts';
import { ScriptedProcess } from './scripted-process.ts';
import type {
  AgentDriver,
  AgentProcess,
  AgentSpec,
  TranscriptFork,
  OpenCall,
} from '../../contracts/agent-driver.ts';
import type { AgentWatcher } from '../../contracts/agent-watcher.ts';
import type { SeedMessage, TranscriptStore } from '../../contracts/transcripts.ts';
import { RoundhouseError } from '../../errors.ts';
import { sleep } from '../../time/timers.ts';

export interface ScriptedDriverOptions {
  /** What processes do with prompts. Default: {@link echoScript}. */
  readonly script?: Script;
  /** How long a start takes, in milliseconds. Default 0. */
  readonly startMs?: number;
  /** How long a process takes to be gone once it ends, in milliseconds. Default 0. */
  readonly exitMs?: number;
  /** What the driver says its generation is. Default: always the same. */
  readonly generation?: () => string;
  /** Called when a process is given its folder; what it throws is the agent's refusal. */
  readonly onBind?: (workspace: string) => void | Promise<void>;
  /** Gets what processes put out, as it is. */
  readonly watcher?: AgentWatcher;
  /** Called when a call that needed leave is carried out; the process may be ended meanwhile. */
  readonly onTool?: (call: OpenCall, process: ScriptedProcess) => void | Promise<void>;
  /** Called at each start; what it throws fails the start. `attempt` counts all starts from 1. */
  readonly onStart?: (spec: AgentSpec, attempt: number) => void | Promise<void>;
}

/** A driver without processes of the operating system: for tests with fake time, and for benches of what is around it. */
export class ScriptedDriver implements AgentDriver {
  readonly name = 'scripted';
  readonly capabilities = { liveOptions: ['model'] as const, lateWorkspace: true };
  readonly #options: ScriptedDriverOptions;
  readonly #processes: ScriptedProcess[] = [];
  #starts = 0;

  constructor(options: ScriptedDriverOptions = {}) {
    this.#options = options;
  }

  /** Every process that was started, the ended ones included, in order. */
  get processes(): readonly ScriptedProcess[] {
    return this.#processes;
  }

  /** Those that take prompts. */
  get alive(): readonly ScriptedProcess[] {
    return this.#processes.filter((process) => process.alive);
  }

  async start(spec: AgentSpec, signal: AbortSignal): Promise<AgentProcess> {
    this.#starts += 1;
    if (this.#options.startMs !== undefined)
      await sleep(this.#options.startMs, signal, { keepAlive: true });
    await this.#options.onStart?.(spec, this.#starts);
    const entries = await spec.transcripts.load({
      agentSessionId: spec.agentSessionId,
      subpath: '',
    });
    signal.throwIfAborted();
    if (spec.resume && entries.length === 0) {
      throw new RoundhouseError(
        'session_connection_failed',
        `No transcript of ${spec.agentSessionId} to resume from.`,
      );
    }
    const { takeUp } = spec;
    const open = takeUp && (await this.openCalls(spec.agentSessionId, spec.transcripts));
    if (open?.some(({ toolUseId }) => toolUseId === takeUp?.call.toolUseId) === false) {
      throw new RoundhouseError(
        'session_connection_failed',
        `The transcript of ${spec.agentSessionId} has no such call to take up.`,
      );
    }
    const earlier = entries.flatMap((entry) =>
      entry.type === 'user' && typeof entry['text'] === 'string' ? [entry['text']] : [],
    );
    const { script = echoScript, exitMs = 0, onBind, onTool, watcher } = this.#options;
    const process = new ScriptedProcess({
      spec,
      script,
      earlier,
      exitMs,
      onBind,
      onTool,
      watcher,
    });
    this.#processes.push(process);
    return process;
  }

  generation(): Promise<string> {
    return Promise.resolve(this.#options.generation?.() ?? '1');
  }

  async openCalls(
    agentSessionId: string,
    transcripts: TranscriptStore,
  ): Promise<readonly OpenCall[]> {
    return (await heldTurn(agentSessionId, transcripts))?.open ?? [];
  }

  async rescueTranscript(): Promise<void> {
    // Its processes keep nothing outside the store.
  }

  async seedTranscript(
    agentSessionId: string,
    history: readonly SeedMessage[],
    transcripts: TranscriptStore,
  ): Promise<void> {
    const entries = history.map((message, index) => ({
      type: message.role,
      uuid: `${agentSessionId}-seed-${index}`,
      text:
        typeof message.content === 'string'
          ? message.content
          : message.content.map((block) => String(block['text'] ?? block['type'])).join(' '),
    }));
    await transcripts.append({ agentSessionId, subpath: '' }, entries);
  }

  async forkTranscript(
    { from, to, before }: TranscriptFork,
    transcripts: TranscriptStore,
  ): Promise<void> {
    const entries = await transcripts.load({ agentSessionId: from, subpath: '' });
    const cut = entries.findIndex(({ uuid }) => uuid !== undefined && before.includes(uuid));
    await transcripts.replace(
      { agentSessionId: to, subpath: '' },
      cut < 0 ? entries : entries.slice(0, cut),
    );
  }
}
