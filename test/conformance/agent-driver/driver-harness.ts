import type {
  AgentDriver,
  AgentOptions,
  AgentProcess,
  AgentSpec,
} from '../../../src/contracts/agent-driver.ts';
import type { Answerer } from '../../../src/contracts/answerer.ts';
import type { TranscriptStore } from '../../../src/contracts/transcripts.ts';

/** Prompts that make a driver's agent do what a situation needs. The texts are the driver's own language. */
export interface SituationPrompts {
  /** Answers with `text`, exactly. */
  say(text: string): string;
  /** Answers with a text in which `text` and the texts of the earlier `recall` prompts occur. */
  recall(text: string): string;
  /** Thinks, then answers. */
  think(): string;
  /** Runs a tool that needs no permission and gives `output`, then answers. */
  tool(output: string): string;
  /** Runs a tool that needs no permission and gives the folder it works in, then answers. */
  where(): string;
  /** Calls a tool that needs a permission, then answers. */
  ask(): string;
  /**
   * Calls the shell once for each message of names, one message after the other; each name is a call in its message, which
   * leaves it as a mark when it is carried out. Then answers with `done`.
   */
  mark(...messages: readonly (readonly string[])[]): string;
  /** Calls the client's tool `look_up` once for each key, in one message, with `{key}`; then answers with `done`. */
  lookUp(...keys: readonly string[]): string;
  /** Does not get further: before the first token, in the middle of a text, or while a tool runs. */
  hang(where: 'first-token' | 'text' | 'tool'): string;
  /** The model API fails with this status, each time. */
  fail(status: number): string;
  /** The connection is cut in the middle of the text, once; the repetition succeeds. */
  cutOnce(): string;
  /** A text in so many pieces. */
  pieces(count: number): string;
}

/** What the suite needs to know of a driver. A situation that a driver can't be in is named with its reason. */
export interface AgentDriverHarness {
  readonly driver: AgentDriver;
  readonly prompts: SituationPrompts;
  readonly transcripts: TranscriptStore;
  /** A name that the driver takes as a model, other than its default. */
  readonly otherModel: string;
  /** A new process's spec: its own client id, its own empty folder, an existing workspace. */
  spec(parts: {
    agentSessionId: string;
    resume: boolean;
    options: AgentOptions;
    answerer: Answerer;
    transcripts: TranscriptStore;
  }): Promise<AgentSpec>;
  /** The marks that the calls of a conversation have left: one each time that one was carried out, in order. */
  marks(spec: AgentSpec): Promise<readonly string[]>;
  /** Takes away the folder of a process that is gone. */
  discard(spec: AgentSpec): Promise<void>;
  /** How many processes with this client id's mark are alive. */
  leftovers(clientId: string): Promise<number>;
  /** Sends a signal to the process, as somebody else would. */
  kill(process: AgentProcess, signal: NodeJS.Signals): void;
  /** A driver of the same kind whose executable does not exist. */
  readonly driverWithoutExecutable: AgentDriver | undefined;
  readonly skip: Partial<Record<SkippableSituation, string>>;
}

export type SkippableSituation = 'executable' | 'workspace' | 'stale transcript' | 'cut text';
