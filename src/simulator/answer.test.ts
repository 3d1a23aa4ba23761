import { describe, expect, test } from 'vitest';
import { planAnswer } from './answer.ts';
import type { AnswerPlan } from './answer.ts';
import { readMessagesRequest } from './request.ts';
import { wordPieces } from './words.ts';

describe('planAnswer', () => {
  test('restates the prompt and names the earlier ones', () => {
    expect(textOf(plan(['hello']))).toBe('You said: "hello". I was shown no earlier messages.');
    expect(textOf(plan(['a', 'b', 'hello']))).toBe(
      'You said: "hello". I was shown 4 earlier messages; your earlier prompts were: "a", "b".',
    );
  });

  test('mentions attachments, and shortens what is long', () => {
    const image = { type: 'image', source: { type: 'url', url: 'http://x' } };
    const long = 'word '.repeat(100);
    const { blocks } = planAnswer(request([user([{ type: 'text', text: long }, image])]));
    expect(blocks[0]).toMatchObject({
      text: expect.stringMatching(/^You said: ".{200}…" and 1 image\./),
    });
  });

  test('is the same for the same request', () => {
    expect(plan(['a', '[[long 30 words]]'])).toEqual(plan(['a', '[[long 30 words]]']));
  });

  test('says exactly what it is told, and ends the turn', () => {
    expect(plan(['[[say  exact   text ]]'])).toMatchObject({
      blocks: [{ type: 'text', text: 'exact   text' }],
      stopReason: 'end_turn',
      fault: undefined,
      delayMs: undefined,
    });
  });

  test('gives as many words, and as many pieces, as asked for', () => {
    expect(textOf(plan(['[[long 2000 words]]'])).split(' ')).toHaveLength(2000);
    const tokens = plan(['[[tokens 20000]]']);
    expect(wordPieces(textOf(tokens))).toHaveLength(20_000);
    expect(tokens.usage.output).toBe(20_000);
  });

  test('thinks before it speaks', () => {
    expect(plan(['[[think about cats]] hi']).blocks).toEqual([
      { type: 'thinking', text: expect.stringContaining('cats') },
      { type: 'text', text: expect.stringContaining('You said: "hi"') },
    ]);
  });

  test('calls the tools of a step at once, and then sums up their results', () => {
    const prompt = '[[tool Bash {"command":"ls"}]] [[tool Read]]';
    expect(plan([prompt])).toMatchObject({
      blocks: [
        { type: 'tool_use', name: 'Bash', input: { command: 'ls' } },
        { type: 'tool_use', name: 'Read', input: {} },
      ],
      stopReason: 'tool_use',
    });
    const after = afterTools(prompt, [
      ['Bash', 'x'.repeat(300), false],
      ['Read', 'no such file', true],
    ]);
    expect(after.stopReason).toBe('end_turn');
    expect(textOf(after)).toBe(`Bash returned: ${'x'.repeat(200)}…\nRead failed: no such file`);
  });

  test('goes through the steps one at a time, and stays as slow', () => {
    const prompt = '[[slow 5ms]] [[tool A]] [[then tool B]] [[then say done]]';
    expect(plan([prompt]).blocks).toMatchObject([{ name: 'A' }]);
    const second = afterTools(prompt, [['A', '1', false]]);
    expect(second).toMatchObject({ blocks: [{ name: 'B' }], delayMs: 5 });
    const third = afterTools(prompt, [
      ['A', '1', false],
      ['B', '2', false],
    ]);
    expect(third).toMatchObject({ blocks: [{ text: 'done' }], stopReason: 'end_turn', delayMs: 5 });
  });

  test('takes the directives of the last prompt only', () => {
    expect(plan(['[[error 500]]', 'fine'])).toMatchObject({ fault: undefined });
  });

  test('explains all directives to someone who mistyped one, and does nothing else', () => {
    const { blocks, fault } = plan(['[[slwo 50ms]] [[error 500]]']);
    expect(fault).toBeUndefined();
    expect(blocks).toEqual([{ type: 'text', text: expect.stringContaining('[[slow 50ms]]') }]);
  });

  test('ends early when told to, and recovers after so many times', () => {
    const whole = textOf(plan(['tell me']));
    const cut = plan(['[[max-tokens times 1]] tell me']);
    expect(cut.stopReason).toBe('max_tokens');
    expect(whole.startsWith(textOf(cut))).toBe(true);
    const goOn = [
      user('[[max-tokens times 1]] tell me'),
      { role: 'assistant', content: 'You' },
      user('Output token limit hit. Resume directly.'),
    ];
    expect(planAnswer(request(goOn)).stopReason).toBe('end_turn');
    expect(plan(['[[refusal]]'])).toMatchObject({ stopReason: 'refusal', blocks: [] });
  });

  test('reports the counts it is told, and estimates the others', () => {
    expect(plan(['[[usage in 100 out 20]]']).usage).toEqual({
      input: 100,
      output: 20,
      cacheRead: 0,
      cacheWrite: 0,
    });
    // 4,000 characters and the role
    expect(plan(['x'.repeat(4000)]).usage.input).toBe(1001);
  });

  test('has something to fail in', () => {
    expect(plan(['[[stall tool-input]]']).blocks).toMatchObject([{ type: 'tool_use' }]);
    expect(plan(['[[stall text]] [[tool A]]']).blocks).toMatchObject([
      { type: 'text' },
      { type: 'tool_use' },
    ]);
  });

  test('answers with JSON where a schema is asked for', () => {
    const schema = {
      type: 'object',
      properties: { title: { type: 'string' }, kind: { enum: ['a', 'b'] }, more: {} },
      required: ['title', 'kind'],
    };
    const format = { output_config: { format: { type: 'json_schema', schema } } };
    expect(JSON.parse(textOf(planAnswer(request([user('x')], format))))).toEqual({
      title: 'Simulated',
      kind: 'a',
    });
    const tools = [{ name: 'StructuredOutput', input_schema: schema }];
    expect(planAnswer(request([user('x')], { tools }))).toMatchObject({
      blocks: [{ type: 'tool_use', name: 'StructuredOutput', input: { kind: 'a' } }],
      stopReason: 'tool_use',
    });
  });

  test('gives Claude Code the summary it looks for when it compacts', () => {
    expect(textOf(plan(['a', 'CRITICAL: Respond with TEXT ONLY.\n<summary>…</summary>']))).toMatch(
      /<summary>[\s\S]*- a[\s\S]*<\/summary>$/,
    );
  });
});

function user(content: unknown): object {
  return { role: 'user', content };
}

function request(messages: object[], rest: object = {}): ReturnType<typeof readMessagesRequest> {
  const body = { model: 'm', max_tokens: 10, messages, ...rest };
  return readMessagesRequest(body, { needsMaxTokens: true });
}

/** The plan for the last of several prompts, each earlier one answered. */
function plan(prompts: string[]): AnswerPlan {
  const messages = prompts.flatMap((prompt) => [
    user(prompt),
    { role: 'assistant', content: 'ok' },
  ]);
  return planAnswer(request(messages.slice(0, -1)));
}

/** The plan after a prompt's tools were called one message each and gave these results. */
function afterTools(prompt: string, results: [string, string, boolean][]): AnswerPlan {
  const rounds = results.flatMap(([name, content, isError], at) => [
    { role: 'assistant', content: [{ type: 'tool_use', id: `t${at}`, name, input: {} }] },
    user([{ type: 'tool_result', tool_use_id: `t${at}`, content, is_error: isError }]),
  ]);
  return planAnswer(request([user(prompt), ...rounds]));
}

function textOf({ blocks }: AnswerPlan): string {
  return blocks.map((block) => (block.type === 'text' ? block.text : '')).join('');
}
