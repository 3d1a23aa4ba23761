/** The oldest Node that runs the program, as `major.minor`. */
export const NEEDED_NODE: string;
/** One sentence that says what to do when `found` is too old; an empty text when it is not. */
export function nodeVersionProblem(found: string): string;
