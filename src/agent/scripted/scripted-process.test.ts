import { expect, test } from 'vitest';
import { ScriptedDriver, type ScriptedDriverOptions } from './scripted-driver.ts';
import type { Script, ScriptStep } from './script.ts';
import type { AgentOutput, AgentSpec } from '../../contracts/agent-driver.ts';
import { RoundhouseError } from '../../errors.ts';
import { PolicyAnswerer } from '../../pool/policy-answerer.ts';
import { MemorySessionStore } from '../../store/memory/memory-session-store.ts';
import { pass, settle, useFakeClock } from '../../../test/support/fake-clock.ts';

useFakeClock();

const { transcripts } = new MemorySessionStore();

function specOf(agentSessionId: string, resume = false): AgentSpec {
  return {
    agentSessionId,
    sessionId: 'sesn_1',
    resume,
    clientId: 'clnt_1',
    workspace: '/w',
    processFolder: '/p',
    options: {},
    transcripts,
    answerer: new PolicyAnswerer(),
  };
}

const NEVER = new AbortController().signal;
let sessions = 0;

async function start(options: ScriptedDriverOptions = {}, agentSessionId?: string, resume = false) {
  sessions += 1;
  const driver = new ScriptedDriver(options);
  await driver.start(specOf(agentSessionId ?? `session-${sessions}`, resume), NEVER);
  const [process] = driver.processes;
  if (process === undefined) throw new Error('no process');
  return { driver, process };
}

let prompts = 0;

function prompt(text: string) {
  prompts += 1;
  return { promptId: `prompt-${prompts}`, content: [{ type: 'text' as const, text }] };
}

async function outputs(batches: AsyncIterable<readonly AgentOutput[]>): Promise<AgentOutput[]> {
  const all: AgentOutput[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

function always(...steps: ScriptStep[]): Script {
  return () => ({ steps });
}

function kinds(all: readonly AgentOutput[]): string[] {
  return all.map((output) => (output.kind === 'event' ? output.body.type : output.kind));
}

test('a turn is accepted first, and ends with its one end', async () => {
  const { process } = await start();
  const all = await outputs(process.prompt(prompt('hello')));
  expect(kinds(all).at(0)).toBe('accepted');
  expect(kinds(all).filter((kind) => kind === 'ended')).toEqual(['ended']);
  expect(all.at(-1)).toMatchObject({
    kind: 'ended',
    processUsable: true,
    end: { reason: 'completed', stopReason: 'end_turn', usage: { inputTokens: 10 } },
  });
});

test('no preview of a block follows the record that completes it', async () => {
  const { process } = await start({ script: always({ thinking: 'hm' }, { text: ['a', 'b'] }) });
  const complete = new Set<number>();
  const late: AgentOutput[] = [];
  for (const output of await outputs(process.prompt(prompt('x')))) {
    if (output.kind === 'event' && output.detail.blockIndex !== undefined)
      complete.add(output.detail.blockIndex);
    if (
      output.kind === 'preview' &&
      'index' in output.preview &&
      complete.has(output.preview.index)
    )
      late.push(output);
  }
  expect(late).toEqual([]);
  expect(complete).toEqual(new Set([0, 1]));
});

test('a tool runs between its two outputs, and a request waits for its answer between its two', async () => {
  const { process } = await start({
    script: always({ tool: 'Bash', output: 'ok', runMs: 10 }, { ask: 'Write' }),
  });
  const reading = outputs(process.prompt(prompt('x')));
  await pass(10);
  const seen = kinds(await reading).filter((kind) => /tool|answer/.test(kind));
  expect(seen).toEqual([
    'agent.tool_use',
    'tool_started',
    'agent.tool_result',
    'tool_finished',
    'agent.tool_use',
    'answer_awaited',
    'answer_given',
    'agent.tool_result',
  ]);
});

test.each<[string, ScriptStep]>([
  ['waits', { waitMs: 1_000 }],
  ['hangs', { hang: true }],
  ['runs a tool', { tool: 'Bash', output: '', runMs: 1_000 }],
  ['retries', { retryInMs: 1_000, status: 529 }],
])(
  'an interrupt ends a turn that %s, and the process takes the next prompt',
  async (_what, step) => {
    const { process } = await start({
      script: ({ text }) => ({ steps: text === 'next' ? [{ text: ['ok'] }] : [step] }),
    });
    const reading = outputs(process.prompt(prompt('x')));
    await settle();
    await process.interrupt();
    expect((await reading).at(-1)).toMatchObject({
      end: { reason: 'interrupted', error: { code: 'turn_interrupted' } },
      processUsable: true,
    });
    expect((await outputs(process.prompt(prompt('next')))).at(-1)).toMatchObject({
      end: { reason: 'completed' },
    });
  },
);

test('the death of the process ends its turn with agent_died, and takes no further prompt', async () => {
  const { process } = await start({ script: always({ hang: true }), exitMs: 100 });
  const reading = outputs(process.prompt(prompt('x')));
  await settle();
  process.die('SIGSEGV');
  expect((await reading).at(-1)).toMatchObject({
    end: { reason: 'failed', error: { code: 'agent_died' } },
    processUsable: false,
  });
  expect([process.alive, process.gone]).toEqual([false, false]);
  await pass(100);
  expect(process.gone).toBe(true);
  expect(await process.exited).toMatchObject({ signal: 'SIGSEGV', transcriptStale: false });
  await expect(outputs(process.prompt(prompt('y')))).rejects.toMatchObject({ code: 'agent_died' });
});

test('close and destroy may be called twice; the first reason wins', async () => {
  const { process } = await start();
  const exits = await Promise.all([
    process.destroy('first'),
    process.destroy('second'),
    process.close(),
  ]);
  expect(new Set(exits).size).toBe(1);
  expect(exits[0]).toMatchObject({ reason: 'first' });
});

test('two prompts at once are refused', async () => {
  const { process } = await start({ script: always({ hang: true }) });
  const reading = outputs(process.prompt(prompt('x')));
  await settle();
  await expect(outputs(process.prompt(prompt('y')))).rejects.toBeInstanceOf(RoundhouseError);
  await process.interrupt();
  await reading;
});

test('a process that resumes has the earlier prompts, one of another conversation does not', async () => {
  const first = await start({}, 'shared');
  await outputs(first.process.prompt(prompt('one')));
  const resumed = await start(
    { script: ({ earlier }) => ({ steps: [{ text: [...earlier] }] }) },
    'shared',
    true,
  );
  const said = (await outputs(resumed.process.prompt(prompt('two')))).flatMap((output) =>
    output.kind === 'event' && output.body.type === 'agent.message' ? output.body.content : [],
  );
  expect(said).toEqual([{ type: 'text', text: 'one' }]);
  await expect(start({}, 'unknown', true)).rejects.toMatchObject({
    code: 'session_connection_failed',
  });
});

test('a start that is aborted leaves no process', async () => {
  const driver = new ScriptedDriver({ startMs: 1_000 });
  const abort = new AbortController();
  const starting = driver.start(specOf('aborted'), abort.signal);
  abort.abort(new Error('no'));
  await expect(starting).rejects.toThrow('no');
  expect(driver.processes).toEqual([]);
});

test('a history that a client brings is what the first turn has before it', async () => {
  const driver = new ScriptedDriver();
  const history = [
    { role: 'user', content: 'one' },
    { role: 'assistant', content: 'two' },
    { role: 'user', content: [{ type: 'text', text: 'three' }] },
  ] as const;
  await driver.seedTranscript('seeded', history, transcripts);
  await driver.start(specOf('seeded', true), NEVER);
  const [process] = driver.processes;
  const all = process === undefined ? [] : await outputs(process.prompt(prompt('four')));
  const message = all.find((o) => o.kind === 'event' && o.body.type === 'agent.message');
  expect(JSON.stringify(message)).toContain('Before: one | three.');
});

test('the model is the prompt’s own, else the one last set', async () => {
  const seen: string[] = [];
  const { process } = await start({
    script: ({ model }) => {
      seen.push(model);
      return { steps: [] };
    },
  });
  await outputs(process.prompt(prompt('a')));
  await process.change({ model: 'second' });
  await outputs(process.prompt({ ...prompt('b'), model: 'third' }));
  await outputs(process.prompt(prompt('c')));
  expect(seen).toEqual(['scripted-1', 'third', 'second']);
  await expect(process.change({ tools: [] })).rejects.toMatchObject({ code: 'unsupported_field' });
});
