/** One way to prompt. `fault` names what it makes the upstream, or a tool, do. */
export interface PromptKind {
  readonly weight: number;
  /** For the simulator; docs/simulator.md has them all. */
  readonly directives: string;
  readonly fault?: string;
  /** At most once for each session: a big answer stays in its context for good. */
  readonly once?: boolean;
}

/** Runs without a permission. Whoever kills its agent makes it an orphan. */
const ENDLESS_TOOL = '[[tool Bash {"command":"while true; do sleep 1; done"}]]';
function plain(weight: number, directives: string): PromptKind {
  return { weight, directives };
}

function upstream(weight: number, directive: string, fault = directive): PromptKind {
  return { weight, directives: `[[${directive}]]`, fault: `upstream: ${fault}` };
}

/** What the load asks for. A third of it goes wrong at the upstream. */
export const PROMPT_KINDS: readonly PromptKind[] = [
  plain(34, ''),
  plain(10, '[[slow 60ms]]'),
  plain(6, '[[slow 150ms]]'),
  plain(5, '[[long 150 words]]'),
  plain(3, '[[think about it]]'),
  plain(3, '[[tool Bash {"command":"ls"}]]'),
  { weight: 2, directives: '[[slow 0ms]] [[tokens 20000]]', once: true },
  { weight: 3, directives: ENDLESS_TOOL, fault: 'tool: endless' },
  upstream(2, 'error 400'),
  upstream(2, 'error 401'),
  upstream(3, 'error 429 times 1'),
  upstream(1, 'error 429'),
  upstream(2, 'error 500 times 1'),
  upstream(1, 'error 500'),
  upstream(3, 'error 529 times 2'),
  upstream(1, 'error 529'),
  upstream(1, 'stall headers'),
  upstream(1, 'stall start'),
  upstream(1, 'stall first-token'),
  upstream(1, 'stall text'),
  upstream(1, 'stall tool-input'),
  upstream(1, 'pings every 100ms', 'pings'),
  upstream(2, 'cut'),
  upstream(3, 'cut times 1'),
  upstream(2, 'broken'),
  upstream(2, 'broken times 1'),
  upstream(3, 'overloaded mid-stream times 1'),
];
