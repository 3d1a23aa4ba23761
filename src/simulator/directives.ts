import { DIRECTIVES } from './directive-list.ts';
import type { DirectiveName } from './directive-list.ts';
import { isObject } from './json.ts';

const STALL_POINTS = ['headers', 'start', 'first-token', 'text', 'tool-input'] as const;

/** Where a `[[stall …]]` falls silent. */
export type StallPoint = (typeof STALL_POINTS)[number];

/** A way to fail. `times` (1 or more): only the first so many requests of that prompt fail; absent: all of them. */
export type Fault = { times?: number } & (
  | { name: 'error'; status: number; retryAfterSeconds?: number }
  | { name: 'stall'; at: StallPoint }
  | { name: 'pings'; everyMs: number }
  | { name: 'cut' }
  | { name: 'broken' }
  | { name: 'overloaded' }
);

/** Token counts that `[[usage …]]` sets; absent ones are estimated. */
export interface UsageCounts {
  input?: number;
  output?: number;
  cacheRead?: number;
  cacheWrite?: number;
}

/** One thing a prompt asks the simulator to do. */
export type Directive =
  | { name: 'slow'; delayMs: number }
  | { name: 'long'; words: number }
  | { name: 'tokens'; count: number }
  | { name: 'say'; text: string }
  | { name: 'think'; about: string }
  | { name: 'tool'; tool: string; input: Record<string, unknown> }
  | { name: 'usage'; counts: UsageCounts }
  | { name: 'max-tokens'; times?: number }
  | { name: 'refusal'; times?: number }
  | Fault;

/** A prompt taken apart. */
export interface ParsedPrompt {
  /** The prompt without its directives, trimmed. */
  text: string;
  /** The directives between one `[[then]]` and the next; always at least one step, maybe empty. */
  steps: Directive[][];
  /** What could not be understood, a sentence each. Non-empty: the answer explains, and nothing else is done. */
  problems: string[];
}

const MAX_DELAY_MS = 60_000;
/** Enough for any bench; more would only fill memory. */
const MAX_PIECES = 1_000_000;
const DEFAULT_PING_MS = 100;

/** `[[ -f x ]]` of a shell and `[[1, 2], [3]]` of a matrix are not meant for us: a directive starts with a letter. */
const OPENING = /\[\[\s*([a-zA-Z][\w-]*)/g;

/** Finds and reads the directives of one prompt. Pure. */
export function parseDirectives(prompt: string): ParsedPrompt {
  const steps: Directive[][] = [[]];
  const problems: string[] = [];
  let text = '';
  let from = 0;
  OPENING.lastIndex = 0;
  for (let match = OPENING.exec(prompt); match !== null; match = OPENING.exec(prompt)) {
    const end = closingOf(prompt, match.index + 2);
    if (end === undefined) {
      if (isName(match[1] ?? '')) problems.push(`"${match[0]}" is not closed with "]]".`);
      continue;
    }
    const body = prompt.slice(match.index + 2, end).trim();
    text = joined(text, prompt.slice(from, match.index));
    from = end + 2;
    OPENING.lastIndex = from;
    const then = /^then(?:\s+([\s\S]+))?$/i.exec(body);
    if (then !== null) steps.push([]);
    // `[[then say done]]` is short for `[[then]] [[say done]]`
    const rest = then === null ? body : then[1];
    if (rest !== undefined) {
      const read = readDirective(rest);
      if (typeof read === 'string') problems.push(read);
      else steps.at(-1)?.push(read);
    }
  }
  text = joined(text, prompt.slice(from));
  if (steps.slice(0, -1).some((step) => !step.some(({ name }) => name === 'tool'))) {
    problems.push('"[[then]]" waits for tool results, so a [[tool …]] must stand before it.');
  }
  return { text: text.trim(), steps, problems };
}

/** Joins what stood before and after a directive, with one space where there was one on both sides. */
function joined(before: string, after: string): string {
  return before + (/\s$/.test(before) ? after.replace(/^[ \t]+/, '') : after);
}

/** The end of a directive: the first `]]`, but for a tool the first one that leaves its input valid JSON. */
function closingOf(prompt: string, start: number): number | undefined {
  const first = prompt.indexOf(']]', start);
  if (first < 0) return undefined;
  const brace = prompt.slice(start, first).match(/^\s*(?:then\s+)?tool\s+[\w.:-]+\s*(?=[{[])/i);
  if (brace === null) return first;
  const jsonStart = start + brace[0].length;
  for (let end = first; end >= 0; end = prompt.indexOf(']]', end + 1)) {
    if (parseJson(prompt.slice(jsonStart, end)) !== undefined) return end;
  }
  return first;
}

/** Reads what stands between the brackets: a directive, or a sentence that says what is wrong with it. */
function readDirective(body: string): Directive | string {
  const word = (body.match(/^\S+/)?.[0] ?? '').toLowerCase();
  if (!isName(word) || word === 'then')
    return `I don't know the directive "[[${shortened(body)}]]".`;
  const read = readers[word](body.slice(word.length).trim());
  const example = DIRECTIVES.find(({ name }) => name === word)?.example ?? '';
  return read ?? `I don't understand "[[${shortened(body)}]]"; write it like ${example}.`;
}

/** `then` parts the others and is read before them. */
type Readable = Exclude<DirectiveName, 'then'>;

/** Each reader gets what follows the name; undefined means not understood. */
const readers: Record<Readable, (rest: string) => Directive | undefined> = {
  slow: (rest) => {
    const delayMs = durationMs(rest);
    return delayMs === undefined || delayMs > MAX_DELAY_MS ? undefined : { name: 'slow', delayMs };
  },
  long: (rest) => {
    const words = wholeNumber(rest.replace(/\s*words?$/i, ''), 1, MAX_PIECES);
    return words === undefined ? undefined : { name: 'long', words };
  },
  tokens: (rest) => {
    const count = wholeNumber(rest, 1, MAX_PIECES);
    return count === undefined ? undefined : { name: 'tokens', count };
  },
  say: (rest) => (rest === '' ? undefined : { name: 'say', text: rest }),
  think: (rest) => ({ name: 'think', about: rest }),
  tool: readTool,
  usage: (rest) => {
    const options = readOptions(rest, ['in', 'out', 'cache-read', 'cache-write']);
    if (options === undefined || rest === '') return undefined;
    const { in: input, out: output, 'cache-read': cacheRead, 'cache-write': cacheWrite } = options;
    return { name: 'usage', counts: defined({ input, output, cacheRead, cacheWrite }) };
  },
  'max-tokens': (rest) => withTimes('max-tokens', rest),
  refusal: (rest) => withTimes('refusal', rest),
  error: (rest) => {
    const status = wholeNumber(rest.match(/^\d+/)?.[0] ?? '', 400, 599);
    const options = readOptions(rest.replace(/^\d+/, ''), ['retry-after', 'times']);
    if (status === undefined || options === undefined) return undefined;
    const retryAfterSeconds = options['retry-after'];
    return { name: 'error', status, ...defined({ retryAfterSeconds, times: options['times'] }) };
  },
  stall: (rest) => {
    const [, point, tail] = rest.match(/^(\S+)(.*)$/) ?? [];
    const at = STALL_POINTS.find((known) => known === point?.toLowerCase());
    const times = readTimes(tail ?? '');
    if (at === undefined || times === undefined) return undefined;
    return { name: 'stall', at, ...times };
  },
  pings: (rest) => {
    const [, every, tail] = rest.match(/^(?:every\s+(\S+))?(.*)$/i) ?? [];
    const everyMs = every === undefined ? DEFAULT_PING_MS : durationMs(every);
    const times = readTimes(tail ?? '');
    if (everyMs === undefined || everyMs < 1 || times === undefined) return undefined;
    return { name: 'pings', everyMs, ...times };
  },
  cut: (rest) => withTimes('cut', rest),
  broken: (rest) => withTimes('broken', rest),
  overloaded: (rest) => withTimes('overloaded', rest.replace(/^mid-stream/i, '')),
};

function readTool(rest: string): Directive | undefined {
  const [, tool, json = ''] = rest.match(/^([\w.:-]+)\s*([\s\S]*)$/) ?? [];
  const input = json === '' ? {} : parseJson(json);
  return tool === undefined || !isObject(input) ? undefined : { name: 'tool', tool, input };
}

/** Those that take nothing but `times`. */
function withTimes(
  name: 'cut' | 'broken' | 'overloaded' | 'max-tokens' | 'refusal',
  rest: string,
): Directive | undefined {
  const times = readTimes(rest);
  return times === undefined ? undefined : { name, ...times };
}

function readTimes(rest: string): { times?: number } | undefined {
  const options = readOptions(rest, ['times']);
  return options === undefined ? undefined : defined({ times: options['times'] });
}

/** Reads `word number word number …`, each word one of `allowed`; undefined when anything else stands there. */
function readOptions(rest: string, allowed: readonly string[]): Record<string, number> | undefined {
  const words = rest.split(/[\s,]+/).filter((word) => word !== '');
  const options: Record<string, number> = {};
  for (let at = 0; at < words.length; at += 2) {
    const name = (words[at] ?? '').toLowerCase();
    const least = name === 'times' ? 1 : 0;
    const value = wholeNumber((words[at + 1] ?? '').replace(/s$/i, ''), least, 1e9);
    if (!allowed.includes(name) || value === undefined) return undefined;
    options[name] = value;
  }
  return options;
}

/** `50ms`, `1.5s` or `50` (milliseconds). */
function durationMs(text: string): number | undefined {
  const [, number, unit] = text.match(/^(\d+(?:\.\d+)?)\s*(ms|s)?$/i) ?? [];
  if (number === undefined) return undefined;
  return Number(number) * (unit?.toLowerCase() === 's' ? 1000 : 1);
}

function wholeNumber(text: string, least: number, most: number): number | undefined {
  const value = Number(text.replace(/[,_](?=\d)/g, ''));
  return /^\d/.test(text) && Number.isInteger(value) && value >= least && value <= most
    ? value
    : undefined;
}

/** The value, or undefined when the text is not JSON (null counts as no value: no tool takes it). */
function parseJson(text: string): unknown {
  try {
    return (JSON.parse(text) as unknown) ?? undefined;
  } catch {
    return undefined; // not JSON is an answer here, not a failure
  }
}

/** Drops undefined members, which exactOptionalPropertyTypes tells apart from absent ones. */
function defined<K extends string>(counts: Record<K, number | undefined>): { [P in K]?: number } {
  const kept: { [P in K]?: number } = { ...counts };
  for (const key in kept) if (kept[key] === undefined) delete kept[key];
  return kept;
}

function isName(word: string): word is DirectiveName {
  return DIRECTIVES.some(({ name }) => name === word.toLowerCase());
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
