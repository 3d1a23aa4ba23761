/** What the program ends with; docs/cli.md lists them, and a test holds the two equal. */
export const EXIT_CODES = {
  /** Done; for `run`: the turn came to its end. */
  ok: 0,
  /** A request or the command failed: nobody answers, the server refuses, a file can't be read. */
  failed: 1,
  /** The command line was not understood. */
  usage: 2,
  /** `run`: the turn failed. */
  turnFailed: 3,
  /** `run`: the model refused. */
  refused: 4,
  /** `run`: the turn was interrupted, by Ctrl-C or by somebody else. */
  interrupted: 5,
  /** `run`: the turn waits for something that nobody here can give. */
  actionRequired: 6,
  /** `run`: the session's budget is used up. */
  budgetReached: 7,
  /** Left by Ctrl-C without waiting, as shells have it. */
  left: 130,
} as const;

/** One of {@link EXIT_CODES}. */
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];
