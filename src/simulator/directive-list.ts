/** One directive, as people read about it in the simulator's own help and in docs/simulator.md. */
export interface DirectiveHelp {
  /** The word after `[[`. */
  readonly name: DirectiveName;
  /** A complete example that parses without a problem (a test holds this). */
  readonly example: string;
  /** What happens, in one line. */
  readonly meaning: string;
}

/** The words that may follow `[[` in a prompt. */
export type DirectiveName =
  | 'slow'
  | 'long'
  | 'tokens'
  | 'say'
  | 'think'
  | 'tool'
  | 'then'
  | 'usage'
  | 'max-tokens'
  | 'refusal'
  | 'error'
  | 'stall'
  | 'pings'
  | 'cut'
  | 'broken'
  | 'overloaded';

/**
 * Every directive the simulator knows, in the order in which they are explained. The table in docs/simulator.md holds the
 * same names and examples; a unit test compares the two.
 */
export const DIRECTIVES: readonly DirectiveHelp[] = [
  { name: 'slow', example: '[[slow 50ms]]', meaning: 'waits this long before every piece of text' },
  { name: 'long', example: '[[long 2000 words]]', meaning: 'answers with this many words' },
  {
    name: 'tokens',
    example: '[[tokens 20000]]',
    meaning: 'answers with exactly this many pieces, one token each',
  },
  { name: 'say', example: '[[say exact text]]', meaning: 'answers with exactly this text' },
  {
    name: 'think',
    example: '[[think about it]]',
    meaning: 'a thinking block with a signature first',
  },
  {
    name: 'tool',
    example: '[[tool Bash {"command":"ls"}]]',
    meaning: 'calls a tool with this input; several in one prompt are called at once',
  },
  {
    name: 'then',
    example: '[[tool Bash {"command":"ls"}]] [[then say done]]',
    meaning: 'what follows waits for the results of the tools before it',
  },
  {
    name: 'usage',
    example: '[[usage in 100 out 20]]',
    meaning: 'reports these token counts; also cache-read and cache-write',
  },
  { name: 'max-tokens', example: '[[max-tokens]]', meaning: 'ends half-way, as if out of tokens' },
  { name: 'refusal', example: '[[refusal]]', meaning: 'ends with the stop reason "refusal"' },
  {
    name: 'error',
    example: '[[error 529 retry-after 2 times 2]]',
    meaning: 'this HTTP status (400 to 599) before anything else',
  },
  {
    name: 'stall',
    example: '[[stall text]]',
    meaning: 'falls silent at: headers, start, first-token, text or tool-input',
  },
  {
    name: 'pings',
    example: '[[pings every 100ms]]',
    meaning: 'message_start, then nothing but pings without end',
  },
  {
    name: 'cut',
    example: '[[cut times 1]]',
    meaning: 'some text, then the connection is destroyed',
  },
  { name: 'broken', example: '[[broken]]', meaning: 'some text, then an event that is not JSON' },
  {
    name: 'overloaded',
    example: '[[overloaded mid-stream]]',
    meaning: 'some text, then an error event in the stream',
  },
];
