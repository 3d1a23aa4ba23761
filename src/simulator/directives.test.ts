import { describe, expect, test } from 'vitest';
import { DIRECTIVES } from './directive-list.ts';
import { parseDirectives } from './directives.ts';

/** The directives of the only step, for prompts that must be understood. */
function read(prompt: string): object[] {
  const { steps, problems } = parseDirectives(prompt);
  expect(problems).toEqual([]);
  expect(steps).toHaveLength(1);
  return steps[0] ?? [];
}

describe('parseDirectives', () => {
  test('takes the directives out of the text', () => {
    const parsed = parseDirectives('Hello [[slow 50ms]] there [[say hi, you]]');
    expect(parsed).toEqual({
      text: 'Hello there',
      steps: [
        [
          { name: 'slow', delayMs: 50 },
          { name: 'say', text: 'hi, you' },
        ],
      ],
      problems: [],
    });
  });

  test('a prompt without directives is left as it is', () => {
    expect(parseDirectives('plain\n  text')).toEqual({
      text: 'plain\n  text',
      steps: [[]],
      problems: [],
    });
  });

  test.each([
    ['[[slow 1.5s]]', { name: 'slow', delayMs: 1500 }],
    ['[[Slow 20]]', { name: 'slow', delayMs: 20 }],
    ['[[long 2,000 words]]', { name: 'long', words: 2000 }],
    ['[[tokens 20000]]', { name: 'tokens', count: 20_000 }],
    ['[[think]]', { name: 'think', about: '' }],
    ['[[tool Bash]]', { name: 'tool', tool: 'Bash', input: {} }],
    ['[[tool mcp__a__b {"x":[[1],[2]]}]]', tool('mcp__a__b', { x: [[1], [2]] })],
    ['[[tool Bash{"command":"[[ -f x ]] && ls"}]]', tool('Bash', { command: '[[ -f x ]] && ls' })],
    ['[[usage in 100 out 20]]', { name: 'usage', counts: { input: 100, output: 20 } }],
    ['[[usage cache-read 7]]', { name: 'usage', counts: { cacheRead: 7 } }],
    ['[[max-tokens]]', { name: 'max-tokens' }],
    ['[[refusal times 1]]', { name: 'refusal', times: 1 }],
    ['[[error 503]]', { name: 'error', status: 503 }],
    [
      '[[error 529 times 2 retry-after 3s]]',
      { name: 'error', status: 529, times: 2, retryAfterSeconds: 3 },
    ],
    ['[[stall first-token]]', { name: 'stall', at: 'first-token' }],
    ['[[stall headers times 1]]', { name: 'stall', at: 'headers', times: 1 }],
    ['[[pings]]', { name: 'pings', everyMs: 100 }],
    ['[[pings every 1s times 2]]', { name: 'pings', everyMs: 1000, times: 2 }],
    ['[[cut times 3]]', { name: 'cut', times: 3 }],
    ['[[broken]]', { name: 'broken' }],
    ['[[overloaded]]', { name: 'overloaded' }],
    ['[[overloaded mid-stream times 1]]', { name: 'overloaded', times: 1 }],
  ])('reads %s', (prompt, directive) => {
    expect(read(prompt)).toEqual([directive]);
  });

  test.each(DIRECTIVES.map(({ example }) => example))(
    'understands its own example %s',
    (example) => {
      expect(parseDirectives(example).problems).toEqual([]);
    },
  );

  test('a directive inside the input of a tool belongs to the tool', () => {
    const input = { prompt: '[[tool Bash {"command":"ls"}]] please' };
    expect(read(`[[tool Agent ${JSON.stringify(input)}]]`)).toEqual([tool('Agent', input)]);
  });

  test('several tools stand in one step, and "then" begins the next one', () => {
    const { steps, problems } = parseDirectives(
      '[[tool A]] [[tool B]] [[then tool C]] [[then]] [[say done]]',
    );
    expect(problems).toEqual([]);
    expect(steps).toEqual([
      [tool('A', {}), tool('B', {})],
      [tool('C', {})],
      [{ name: 'say', text: 'done' }],
    ]);
  });

  test.each([
    ['[[slwo 50ms]]', /don't know the directive "\[\[slwo 50ms\]\]"/],
    ['[[tool A]] [[then then]]', /don't know/],
    ['[[slow quickly]]', /write it like \[\[slow 50ms\]\]/],
    ['[[slow 2000s]]', /write it like/],
    ['[[error 200]]', /write it like \[\[error 529/],
    ['[[error 529 twice]]', /write it like/],
    ['[[error 529 times 0]]', /write it like/],
    ['[[stall nowhere]]', /write it like \[\[stall text\]\]/],
    ['[[tool Bash {"command":}]]', /write it like \[\[tool Bash/],
    ['[[tool Bash ["ls"]]]', /write it like/],
    ['[[say]]', /write it like/],
    ['[[cut off]]', /write it like/],
    ['[[slow 50ms', /not closed/],
    ['[[say a]] [[then say b]]', /must stand before it/],
  ])('explains what is wrong with %s', (prompt, problem) => {
    expect(parseDirectives(prompt).problems).toEqual([expect.stringMatching(problem)]);
  });

  test.each(['if [[ -f x ]]; then', 'm = [[1, 2], [3, 4]]', 'a [[ b', '[[]]', '[[unclosed'])(
    'leaves %s alone',
    (prompt) => {
      expect(parseDirectives(prompt)).toEqual({ text: prompt, steps: [[]], problems: [] });
    },
  );
});

function tool(name: string, input: object): object {
  return { name: 'tool', tool: name, input };
}
