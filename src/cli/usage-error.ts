/** A command line that says something impossible: what, what was expected, what to type instead. Ends the program with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
