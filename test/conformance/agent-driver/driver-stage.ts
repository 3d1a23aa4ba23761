import { randomUUID } from 'node:crypto';
import type { AgentOptions, AgentProcess, AgentSpec } from '../../../src/contracts/agent-driver.ts';
import type { TranscriptStore } from '../../../src/contracts/transcripts.ts';
import type { AgentDriverHarness, SkippableSituation } from './driver-harness.ts';
import { TestAnswerer } from './test-answerer.ts';

const NO_OPTIONS: AgentOptions = {};

/** What the chapters of the contract play on: a driver, its processes, and who answers them. */
export class DriverStage {
  readonly answerer = new TestAnswerer();
  /** Client ids of every process that was asked for. */
  readonly used: string[] = [];
  #harness: AgentDriverHarness | undefined;

  async open(open: () => Promise<AgentDriverHarness>): Promise<void> {
    this.#harness = await open();
  }

  get harness(): AgentDriverHarness {
    if (this.#harness === undefined) throw new Error('The harness opens before the first test.');
    return this.#harness;
  }

  /** What a new process is started with. */
  async specOf(
    parts: {
      agentSessionId?: string;
      resume?: boolean;
      options?: AgentOptions;
      transcripts?: TranscriptStore;
    } = {},
  ): Promise<AgentSpec> {
    const spec = await this.harness.spec({
      agentSessionId: parts.agentSessionId ?? randomUUID(),
      resume: parts.resume ?? false,
      options: parts.options ?? NO_OPTIONS,
      transcripts: parts.transcripts ?? this.harness.transcripts,
      answerer: this.answerer,
    });
    this.used.push(spec.clientId);
    return spec;
  }

  /** Skips a test whose situation this driver can't be in, with the reason. */
  skipIn(skip: (note: string) => void, situation: SkippableSituation): void {
    const reason = this.harness.skip[situation];
    if (reason !== undefined) skip(reason);
  }

  start(spec: AgentSpec, signal = new AbortController().signal): Promise<AgentProcess> {
    return this.harness.driver.start(spec, signal);
  }

  /** Starts a process, which is closed when it has been used. */
  async withProcess<T>(spec: AgentSpec, use: (process: AgentProcess) => Promise<T>): Promise<T> {
    const process = await this.start(spec);
    try {
      return await use(process);
    } finally {
      await process.close();
    }
  }

  /** A process that waits for its folder, and the folder that it may have. */
  async startUnbound(): Promise<{
    spec: AgentSpec;
    workspace: string;
    process: AgentProcess;
  }> {
    const { workspace, ...spec } = await this.specOf();
    if (workspace === undefined) throw new Error('The harness gives every spec a workspace.');
    return { spec, workspace, process: await this.start(spec) };
  }
}
