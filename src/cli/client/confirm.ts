import { createInterface } from 'node:readline/promises';

import type { CliContext } from '../context.ts';
import { isTerminal } from '../output/style.ts';
import { UsageError } from '../usage-error.ts';

/**
 * Asks before something is gone for good, on stderr. True for `--yes`, or when the person says so. Throws {@link UsageError}
 * where nobody can be asked.
 */
export async function confirmed(
  question: string,
  yes: boolean | undefined,
  { stdin, stderr }: CliContext,
): Promise<boolean> {
  if (yes === true) return true;
  if (!isTerminal(stdin)) {
    throw new UsageError(`${question} Nobody can be asked here: add --yes if you mean it.`);
  }
  const lines = createInterface({ input: stdin, output: stderr, terminal: true });
  // Ctrl-C and the end of the input are no.
  const closed = new Promise<string>((resolve) => {
    lines.once('close', () => resolve(''));
  });
  lines.once('SIGINT', () => lines.close());
  try {
    const answer = await Promise.race([lines.question(`${question} [y/N] `), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
