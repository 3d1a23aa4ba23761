import type { CliContext } from '../context.ts';

/** What the commands of the program are made with. */
export interface ProgramParts {
  readonly context: CliContext;
  /** Is told the exit code of the command that ran. */
  readonly done: (exitCode: number) => void;
}
