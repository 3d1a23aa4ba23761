import type { ErrorCode } from '../../errors.ts';
import type { Usage } from '../../events/record.ts';

/** A call of a tool that needs leave. */
export interface ScriptedAsk {
  readonly tool: string;
  readonly input?: Record<string, unknown>;
  /** Its result, once it is allowed. Default `allowed`. */
  readonly output?: string;
}

/** What a scripted turn does, step by step. */
export type ScriptStep =
  /** A text block; each element is one delta. */
  | { readonly text: readonly string[] }
  | { readonly thinking: string }
  /** A tool that runs for `runMs` (default 0) and gives `output`. */
  | {
      readonly tool: string;
      readonly input?: Record<string, unknown>;
      readonly output: string;
      readonly isError?: boolean;
      readonly runMs?: number;
    }
  /** Calls of tools, in one message, that need leave; the turn goes on when all have their results. */
  | { readonly asks: readonly ScriptedAsk[] }
  /** The same with one call. */
  | ({ readonly ask: string } & Omit<ScriptedAsk, 'tool'>)
  /** Nothing for so long. */
  | { readonly waitMs: number }
  /** Nothing until the turn is interrupted. */
  | { readonly hang: true }
  /** Announces a retry of the model call. */
  | { readonly retryInMs: number; readonly status: number | null }
  /** The text of the block so far is taken back, as a retry in the middle of a stream does: a new message starts. */
  | { readonly restart: true }
  /** The turn ends with an error of the upstream. */
  | { readonly fail: ErrorCode; readonly message: string }
  /** The process ends at once. */
  | { readonly die: string }
  /** The transcript in the store is said to be stale. */
  | { readonly stale: true };

/** What the process does with a prompt. */
export interface ScriptedTurn {
  readonly steps: readonly ScriptStep[];
  /** Whether the process takes the prompt at all. Default true; false is a broken connection. */
  readonly accepts?: boolean;
  /** Whether an interrupt works. Default true; false is a process that hears nothing any more. */
  readonly interruptible?: boolean;
  /** What each model request uses, and the turn as a whole where it completes; cost is told at its end only. */
  readonly usage?: Partial<Usage>;
}

export interface ScriptContext {
  /** The prompt's text. */
  readonly text: string;
  /** What the operator has added with it. */
  readonly system: string | undefined;
  /** The texts of the prompts before it in this conversation, as the transcript has them. */
  readonly earlier: readonly string[];
  readonly model: string;
  /** The folder that the process works in. */
  readonly workspace: string;
  /** Turns that this process has begun before. */
  readonly turnsOfProcess: number;
}

export type Script = (context: ScriptContext) => ScriptedTurn;

/**
 * Answers as the simulator does: with what was said, and with the prompts that came before, so that anyone can see which
 * conversation an answer belongs to.
 */
export const echoScript: Script = ({ text, earlier }) => ({
  steps: [
    {
      text: [
        `You said: ${text}.`,
        ` Before: ${earlier.length === 0 ? 'nothing' : earlier.join(' | ')}.`,
      ],
    },
  ],
});
