/** What is known of the end of a process. */
export interface DeathFacts {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why we ended it; undefined when it ended by itself. */
  readonly reason: string | undefined;
  /** Without secrets. */
  readonly stderrTail: string;
}

/** A sentence about the end of a process, for the turn that it cut off. */
export function deathText({ code, signal, reason, stderrTail }: DeathFacts): string {
  const facts = [
    ...(reason === undefined ? [] : [`reason: ${reason}`]),
    ...(signal === null ? [] : [`signal ${signal}`]),
    ...(code === null ? [] : [`exit code ${code}`]),
    ...(stderrTail === '' ? [] : [`it said last: ${stderrTail}`]),
  ];
  const what = `The agent process ${reason === undefined ? 'ended by itself' : 'was ended'}`;
  return facts.length === 0 ? `${what}.` : `${what} (${facts.join(', ')}).`;
}
