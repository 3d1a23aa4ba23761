/** What the answer to every prompt is: the same for both sides, and short, so that the way counts and not the text. */
export const ANSWER =
  'The engine stands in the roundhouse with its fire lit, and leaves when it is called.';

/** The simulator answers it with {@link ANSWER}, whatever came before. */
export const PROMPT = `[[say ${ANSWER}]]`;

/** A turn as its client saw it, from the moment it asked. */
export interface Timing {
  readonly firstTextMs: number;
  readonly totalMs: number;
}
