import { expect, test } from 'vitest';
import { AwaitedAnswers, type AnswerEvent } from './awaited-answers.ts';
import type { OpenCall } from '../contracts/agent-driver.ts';

const OPTIONS = { allowedTools: ['Bash'], askFirst: ['Write'] };

function open(...names: string[]): OpenCall[] {
  return names.map((name) => ({
    toolUseId: `toolu_${name}`,
    toolName: name === 'bash' ? 'Bash' : name === 'read' ? 'Read' : 'Write',
    input: {},
  }));
}

function answer(name: string, result: 'allow' | 'deny'): AnswerEvent {
  return { type: 'user.tool_confirmation', id: `a_${name}`, tool_use_id: `sevt_${name}`, result };
}

function asked(...names: string[]): AwaitedAnswers {
  const answers = new AwaitedAnswers();
  for (const name of names) answers.ask({ eventId: `sevt_${name}`, toolUseId: `toolu_${name}` });
  return answers;
}

function behaviorOf(answers: AwaitedAnswers, ...names: string[]): string | undefined {
  const decision = answers.takeUp(open(...names), OPTIONS)?.takeUp.decision;
  return decision?.behavior === 'deny' ? decision.message : decision?.behavior;
}

test('the first open call is taken up with its answer, and is the last one when it is alone', () => {
  const answers = asked('x', 'y');
  answers.take([answer('x', 'allow'), answer('y', 'deny')]);
  expect(answers.takeUp(open('x', 'y'), OPTIONS)).toMatchObject({
    takeUp: {
      eventId: 'sevt_x',
      decision: { behavior: 'allow' },
      neverHanded: ['toolu_x', 'toolu_y'],
      last: false,
    },
    handed: ['sevt_x'],
  });
  expect(answers.takeUp(open('y'), OPTIONS)).toMatchObject({ takeUp: { last: true }, handed: [] });
  expect(answers.takeUp([], OPTIONS)).toBeUndefined();
});

test('a call that nobody was asked about is taken up under the event that showed it', () => {
  const answers = asked('x');
  answers.show({ eventId: 'sevt_bash', toolUseId: 'toolu_bash' });
  expect(answers.takeUp(open('bash'), OPTIONS)?.takeUp.eventId).toBe('sevt_bash');
  answers.finish('sevt_bash');
  expect(answers.eventOf('toolu_bash')).toBeUndefined();
  answers.show({ eventId: 'sevt_read', toolUseId: 'toolu_read' });
  answers.finishAll();
  expect(answers.eventOf('toolu_read')).toBeUndefined();
});

test('a call that a further process has carried out is not taken up again', () => {
  const answers = asked('x');
  answers.take([answer('x', 'allow')]);
  const chosen = answers.takeUp(open('x', 'bash'), OPTIONS);
  if (chosen !== undefined) answers.finishTakenUp(chosen.takeUp);
  expect(answers.takeUp(open('x', 'bash'), OPTIONS)).toBeUndefined();
  expect(answers.takeUp(open('bash'), OPTIONS)).toBeDefined();
});

test('leave that may have been used is not given again; a denial may', () => {
  const answers = asked('x', 'y');
  answers.take([answer('x', 'allow'), answer('y', 'deny')]);
  answers.hand(['sevt_x', 'sevt_y']);
  expect(behaviorOf(answers, 'x', 'y')).toContain('It is not known');
  expect(answers.takeUp(open('x'), OPTIONS)?.handed).toEqual([]);
  expect(behaviorOf(answers, 'y')).toBe('The client denied this call.');
});

test('a call that stood behind those that waited is carried out if the options allow it, else put to the model', () => {
  const answers = asked('x');
  answers.take([answer('x', 'allow')]);
  expect(behaviorOf(answers, 'bash')).toBe('allow');
  expect(behaviorOf(answers, 'read')).toContain('was not carried out');
  answers.hand(['sevt_x']);
  // It may have begun when the call before it was let go.
  expect(behaviorOf(answers, 'bash')).toContain('It is not known');
  answers.finish('sevt_x');
  expect(behaviorOf(answers, 'bash')).toBe('allow');
});

test('a result may be given again, unlike leave: it was never handed over', () => {
  const answers = asked('x');
  answers.ask({ eventId: 'sevt_c', toolUseId: 'toolu_c', ofClient: true });
  const custom_tool_use_id = 'sevt_c';
  answers.take([{ type: 'user.custom_tool_result', id: 'r', custom_tool_use_id, content: [] }]);
  answers.hand(['sevt_x', 'sevt_c']);
  expect(answers.neverHanded).toEqual(['toolu_c']);
  expect(answers.carriedOut).toEqual(['sevt_x']);
  expect(answers.takeUp(open('c'), OPTIONS)).toMatchObject({
    takeUp: { decision: { behavior: 'result', result: { content: [], isError: false } } },
    handed: [],
  });
});
