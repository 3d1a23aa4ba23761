import type { Ask } from './session/ask-person.ts';

/** What a chat does with the pieces of a turn. */
export interface TurnView {
  /** Gets the answer piece by piece. */
  readonly onText: (text: string) => void;
  /** Gets what is no answer: the tools that the agent uses, say. */
  readonly onNote: (text: string) => void;
  /** Asks the person; undefined where there is none. */
  readonly ask: Ask | undefined;
  /** Leaves the turn alone and stops listening. */
  readonly signal: AbortSignal;
}

/** What a chat talks with. Failures are `ChatFailure`s. */
export interface ChatLink {
  readonly model: string;
  /** As `--session` takes it. */
  readonly session: string;
  /** Follows a turn that began earlier and waits for an answer of the person; `none` where there is none. */
  takeUp(view: TurnView): Promise<'none' | 'done' | 'interrupted'>;
  /** Runs one turn to its end. */
  prompt(text: string, view: TurnView): Promise<'done' | 'interrupted'>;
  /** Ends the running turn; the session stays. */
  interrupt(): Promise<void>;
}

/** Something went wrong, in words for a person. */
export class ChatFailure extends Error {
  override readonly name = 'ChatFailure';
  /** Whether the next prompt would fail as well. */
  readonly final: boolean;

  constructor(message: string, final: boolean, cause?: unknown) {
    super(message, { cause });
    this.final = final;
  }
}
