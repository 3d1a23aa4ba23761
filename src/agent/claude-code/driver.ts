import { mkdir, stat } from 'node:fs/promises';

import { prewarm, startup } from '@anthropic-ai/claude-agent-sdk';
import type { SpareProcess, WarmQuery } from '@anthropic-ai/claude-agent-sdk';

import type {
  AgentCapabilities,
  AgentDriver,
  AgentOptions,
  AgentProcess,
  AgentSpec,
  TranscriptFork,
  OpenCall,
} from '../../contracts/agent-driver.ts';
import type { AgentWatcher } from '../../contracts/agent-watcher.ts';
import type { SeedMessage, TranscriptStore } from '../../contracts/transcripts.ts';
import type { OpenedTools, ToolEndpoint } from '../../contracts/tool-endpoint.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { AgentHost } from './process.ts';
import type { ToolFacts } from './tool-use.ts';
import type { TurnRun } from './turn-run.ts';
import { clientToolsByAlias, toolKinds } from '../../contracts/tool-names.ts';
import { errorText, RoundhouseError } from '../../errors.ts';
import { unlessAborted } from '../../time/deadline.ts';
import { clientToolCalls } from './client-tools.ts';
import { checkCredentials } from './credentials.ts';
import { agentEnvironment, processFolders } from './environment.ts';
import { abortedStart, startFailure } from './errors.ts';
import { checkedExecutable } from './executable.ts';
import { importLocalTranscript, writeLocalTranscript } from './local-transcript.ts';
import { ParkedQuery } from './parked-query.ts';
import { permissions } from './permissions.ts';
import { ClaudeCodeProcess } from './process.ts';
import { PromptChannel } from './prompt-channel.ts';
import { createRedact } from './redact.ts';
import { sdkOptions } from './sdk-options.ts';
import { AgentChild } from './spawn.ts';
import { prepareTakeUp } from './take-up.ts';
import { seedEntries, withOpenCalls } from './transcript.ts';
import { forkTranscripts } from './transcript-fork.ts';
import { TranscriptMirror } from './transcript-mirror.ts';
import { watchedBy } from './watched.ts';

/** Settings and collaborators of the driver. */
export interface ClaudeCodeDriverOptions {
  readonly host: AgentHost;
  /** What the agent reaches the model API with; an allow-list is checked. Reaches no argument, no log and no error. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Path of a Claude Code executable. Default: the one that ships with the SDK. */
  readonly executable?: string;
  /** Where the agent and its tools look for programs. Default `/usr/local/bin:/usr/bin:/bin`. */
  readonly path?: string;
  /** How often the agent repeats a failed model request, at growing intervals. Default 3. */
  readonly maxRetries?: number;
  /** Where processes reach the tools of their clients. Without it, options with such tools can't be started. */
  readonly toolEndpoint?: ToolEndpoint;
  /** Why a process may not connect to an MCP server, or undefined when it may. Default: it may. */
  readonly mcpServerProblem?: (url: string) => string | undefined;
  readonly telemetry: Telemetry;
  /** Gets what agents say as they say it. Default: nobody does. */
  readonly watcher?: AgentWatcher;
}

const DEFAULT_MAX_RETRIES = 3;
const PRIVATE = 0o700;

/** A driver of real Claude Code processes. `configuration_invalid` for a variable that may not be passed on. */
export function createClaudeCodeDriver(options: ClaudeCodeDriverOptions): AgentDriver {
  checkCredentials(options.credentials);
  return new ClaudeCodeDriver(options);
}

class ClaudeCodeDriver implements AgentDriver {
  readonly name = 'claude-code';
  readonly capabilities: AgentCapabilities = { liveOptions: ['model'], lateWorkspace: true };
  readonly #options: ClaudeCodeDriverOptions;

  constructor(options: ClaudeCodeDriverOptions) {
    this.#options = options;
  }

  async start(spec: AgentSpec, signal: AbortSignal): Promise<AgentProcess> {
    this.#checkMcpServers(spec.options);
    const executable = await checkedExecutable(this.#options.executable);
    if (spec.workspace !== undefined) await checkWorkspace(spec.workspace);
    const settings = await prepareFolder(spec);
    if (signal.aborted) throw abortedStart(signal);
    return this.#launch(spec, executable, settings, signal);
  }

  /** The executable's place, size and time: an update of Claude Code under a running server changes them. */
  async generation(): Promise<string> {
    const executable = await checkedExecutable(this.#options.executable);
    const { size, mtimeMs } = await stat(executable);
    return `${executable}:${size}:${mtimeMs}`;
  }

  async rescueTranscript(
    processFolder: string,
    agentSessionId: string,
    transcripts: TranscriptStore,
  ): Promise<void> {
    const entries = await importLocalTranscript(processFolder, agentSessionId, transcripts);
    if (entries > 0)
      this.#options.telemetry.log.info('agent_transcript_completed', { processFolder, entries });
  }

  async seedTranscript(
    agentSessionId: string,
    history: readonly SeedMessage[],
    transcripts: TranscriptStore,
  ): Promise<void> {
    await transcripts.replace(
      { agentSessionId, subpath: '' },
      seedEntries(agentSessionId, history),
    );
  }

  forkTranscript(fork: TranscriptFork, transcripts: TranscriptStore): Promise<void> {
    return forkTranscripts(fork, transcripts);
  }

  async openCalls(
    agentSessionId: string,
    transcripts: TranscriptStore,
    neverHanded: readonly string[],
  ): Promise<readonly OpenCall[]> {
    const stored = await transcripts.load({ agentSessionId, subpath: '' });
    return withOpenCalls(stored, neverHanded).open;
  }

  async #launch(
    spec: AgentSpec,
    executable: string,
    settings: string | undefined,
    signal: AbortSignal,
  ): Promise<AgentProcess> {
    const { host, telemetry, credentials } = this.#options;
    let live: ClaudeCodeProcess | undefined;
    const currentRun = (): TurnRun | undefined => live?.currentRun;
    const clientTools = await this.#offerClientTools(spec, currentRun);
    const redact = createRedact(
      {
        ...credentials,
        ...(clientTools !== undefined && { CLIENT_TOOLS_TOKEN: clientTools.token }),
      },
      spec.variables,
    );
    const tools: ToolFacts = {
      kindOf: toolKinds(spec.options),
      problemOf: (alias, input) => clientTools?.problemOf(alias, input),
    };
    const mirror = new TranscriptMirror(spec.agentSessionId, spec.transcripts, telemetry.log);
    const abortController = new AbortController();
    let registered: Promise<void> = Promise.resolve();
    const child = new AgentChild({
      prefix: host.spawnPrefix,
      redact,
      onSpawn: (pid) => {
        registered = host.registerProcess(pid, spec.clientId, spec.sessionId, spec.processFolder);
        // Awaited below; until then a rejection must not count as unhandled.
        registered.catch(() => {});
      },
    });

    const options = sdkOptions({
      spec,
      executable,
      environment: agentEnvironment({
        clientId: spec.clientId,
        processFolder: spec.processFolder,
        credentials,
        ...(spec.variables !== undefined && { variables: spec.variables }),
        ...(this.#options.path === undefined ? {} : { path: this.#options.path }),
        reachesHost: clientTools !== undefined,
        maxRetries: this.#options.maxRetries ?? DEFAULT_MAX_RETRIES,
      }),
      clientTools,
      child,
      mirror,
      abortController,
      permissions: permissions({
        sessionId: spec.sessionId,
        options: spec.options,
        takeUp: spec.takeUp,
        answerer: spec.answerer,
        tools,
        currentRun,
        log: telemetry.log,
      }),
      ...(settings !== undefined && { settings }),
    });
    const prepared: Promise<SpareProcess | WarmQuery> =
      spec.workspace === undefined ? prewarm({ options }) : startup({ options });
    try {
      const started = await unlessAborted(prepared, signal);
      await registered;
      if (signal.aborted) throw abortedStart(signal);
      const channel = new PromptChannel();
      const query = 'claim' in started ? new ParkedQuery(started, channel) : started.query(channel);
      live = new ClaudeCodeProcess({
        spec,
        host,
        child,
        query,
        ...(query instanceof ParkedQuery && { claim: (folder: string) => query.claim(folder) }),
        channel,
        mirror,
        redact,
        watch: watchedBy(this.#options.watcher, spec.sessionId, redact),
        tools,
        log: telemetry.log,
      });
      void live.exited.then(() => clientTools?.close());
      return live;
    } catch (error) {
      await this.#abandon(child, spec.clientId, abortController, prepared);
      clientTools?.close();
      throw signal.aborted ? abortedStart(signal) : this.#failure(error, child, redact);
    }
  }

  /** What was allowed when the agent was written need not be allowed any more. */
  #checkMcpServers({ mcpServers = [] }: AgentOptions): void {
    for (const { name, url } of mcpServers) {
      const problem = this.#options.mcpServerProblem?.(url);
      if (problem === undefined) continue;
      throw new RoundhouseError(
        'unsupported_field',
        `The agent's MCP server ${name} is not allowed by this server: ${problem}.`,
      );
    }
  }

  async #offerClientTools(
    { options, sessionId, answerer, takeUp }: AgentSpec,
    currentRun: () => TurnRun | undefined,
  ): Promise<OpenedTools | undefined> {
    const byAlias = clientToolsByAlias(options);
    if (byAlias.size === 0) return undefined;
    const { toolEndpoint, telemetry } = this.#options;
    if (toolEndpoint === undefined) {
      throw new RoundhouseError(
        'unsupported_field',
        'The agent has tools of its client, and this driver was given no endpoint for them.',
      );
    }
    const nameOf = (alias: string): string => byAlias.get(alias)?.name ?? alias;
    const tools = [...byAlias].map(([alias, tool]) => ({ ...tool, name: alias }));
    return toolEndpoint.open(
      tools,
      clientToolCalls({ sessionId, nameOf, answerer, takeUp, currentRun, log: telemetry.log }),
    );
  }

  /** Ends what a failed start has begun, and waits until it is gone. */
  async #abandon(
    child: AgentChild,
    clientId: string,
    abortController: AbortController,
    prepared: Promise<{ close(): void }>,
  ): Promise<void> {
    if (child.spawned) {
      if (!child.hasExited) await this.#options.host.killMarked(clientId);
      child.kill('SIGKILL');
      await child.exited;
      await this.#options.host.killMarked(clientId);
    }
    abortController.abort();
    // Whatever becomes of it now: nobody waits any more, and there is no process behind it.
    prepared.then(
      (warm) => warm.close(),
      () => {},
    );
  }

  #failure(error: unknown, child: AgentChild, redact: (text: string) => string): Error {
    const said = child.stderrTail === '' ? '' : ` It said last: ${child.stderrTail}`;
    return startFailure(
      `The agent process could not be started: ${redact(errorText(error))}.${said}`,
      // The cause may hold the command line and the environment of the process.
      new Error(redact(errorText(error))),
    );
  }
}

/** The SDK would blame the executable for a missing folder. */
async function checkWorkspace(workspace: string): Promise<void> {
  const found = await stat(workspace).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw startFailure(
    `The workspace ${workspace} ${found === undefined ? 'does not exist' : 'is not a folder'}. ` +
      'Expected a folder that the server may enter; create it, or name another.',
  );
}

/** Returns the path of the process's own settings, if it has any. */
async function prepareFolder(spec: AgentSpec): Promise<string | undefined> {
  const { config, temporary, parking } = processFolders(spec.processFolder);
  await mkdir(config, { recursive: true, mode: PRIVATE });
  await mkdir(temporary, { recursive: true, mode: PRIVATE });
  if (spec.workspace === undefined) await mkdir(parking, { recursive: true, mode: PRIVATE });
  if (!spec.resume) return undefined;
  if (spec.takeUp !== undefined) return prepareTakeUp(spec, spec.takeUp);
  const entries = await writeLocalTranscript(
    spec.processFolder,
    spec.agentSessionId,
    spec.transcripts,
  );
  if (entries > 0) return undefined;
  throw startFailure(
    `The conversation ${spec.agentSessionId} can't be resumed: the store has no transcript of it. ` +
      'Start it without resume.',
  );
}
