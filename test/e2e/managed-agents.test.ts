import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsStreamSessionEvents as StreamEvent } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import {
  answerIn,
  confirmation,
  keptEvents,
  sessionWith,
  stopOf,
  toolset,
  untilIdle,
  userMessage,
} from '../support/agent-sessions.ts';
import { officialClient } from '../support/official-client.ts';
import { ServerFixture } from '../support/server-fixture.ts';

/** Approvals and interrupts on the real CLI, with the official client. */

let server: ServerFixture;

beforeAll(async () => {
  server = await ServerFixture.start();
});

afterAll(async () => {
  await server?.end();
});

function client(): Anthropic {
  return officialClient(server.url);
}

function call(tool: string, input: object): string {
  return `[[tool ${tool} ${JSON.stringify(input)}]]`;
}

function bash(command: string): string {
  return call('Bash', { command });
}

/** The calls among events, and how often each has a result. */
function callsIn(events: readonly StreamEvent[]): object[] {
  const results = events.flatMap((event) =>
    event.type === 'agent.tool_result' ? [event.tool_use_id] : [],
  );
  return events.flatMap((event) =>
    event.type === 'agent.tool_use'
      ? [
          {
            id: event.id,
            name: event.name,
            permission: event.evaluated_permission,
            results: results.filter((id) => id === event.id).length,
          },
        ]
      : [],
  );
}

async function killAndStartAgain(): Promise<void> {
  await server.kill('SIGKILL');
  await server.restart();
}

/** The next message is answered, and the answer shows that it alone was asked. */
async function expectNextWorks(id: string): Promise<void> {
  const events = await untilIdle(client(), id, [userMessage('And now?')]);
  expect(stopOf(events).type).toBe('end_turn');
  expect(answerIn(events)).toContain('You said: "And now?"');
}

test('a write that waits for leave is done once it is given, after kill -9 of the server, and once', async () => {
  const id = await sessionWith(client(), toolset('write'));
  const file = server.inWorkspace(id, 'written.txt');
  const write = call('Write', { file_path: file, content: 'allowed\n' });
  const asked = await untilIdle(client(), id, [userMessage(`${write} [[then say written]]`)]);
  const { type, waiting } = stopOf(asked);
  expect(type).toBe('requires_action');
  const [use = ''] = waiting;
  const waits = { id: use, name: 'write', permission: 'ask' };
  expect(callsIn(asked)).toEqual([{ ...waits, results: 0 }]);
  expect((await client().beta.sessions.retrieve(id)).status).toBe('idle');

  await killAndStartAgain();
  expect(existsSync(file)).toBe(false);
  const events = await untilIdle(client(), id, [confirmation(use)]);
  expect(stopOf(events).type).toBe('end_turn');
  expect(events.filter((event) => event.type === 'session.status_running')).toHaveLength(1);
  expect(answerIn(events)).toBe('written');
  expect(readFileSync(file, 'utf8')).toBe('allowed\n');
  expect(callsIn(await keptEvents(client(), id))).toEqual([{ ...waits, results: 1 }]);
});

test('what Claude Code itself asks about is shown as such and waits too, over a kill -9; what it does not ask about is not', async () => {
  const id = await sessionWith(client(), toolset());
  const file = server.inWorkspace(id, '.bashrc');
  // All tools are allowed; yet this file is one that Claude Code wants to be sure about.
  const write = call('Write', { file_path: file, content: 'allowed\n' });
  const prompt = `${bash('echo one > one.txt')} ${write} ${bash('echo two > two.txt')} [[then say well]]`;
  const asked = await untilIdle(client(), id, [userMessage(prompt)]);
  const { type, waiting } = stopOf(asked);
  expect(type).toBe('requires_action');
  const [use = ''] = waiting;
  const allowed = { id: expect.any(String), name: 'bash', permission: 'allow', results: 1 };
  const waits = { id: use, name: 'write', permission: 'ask' };
  const behind = { ...allowed, results: 0 };
  expect(callsIn(asked)).toEqual([allowed, { ...waits, results: 0 }, behind]);
  const shown = asked.find((event) => event.type === 'agent.tool_use' && event.id === use);
  expect(shown).toMatchObject({ evaluation: { type: 'auto' } });

  await killAndStartAgain();
  expect(existsSync(file)).toBe(false);
  const events = await untilIdle(client(), id, [confirmation(use)]);
  expect(stopOf(events).type).toBe('end_turn');
  expect(readFileSync(file, 'utf8')).toBe('allowed\n');
  const all = [allowed, { ...waits, results: 1 }, allowed];
  expect(callsIn(await keptEvents(client(), id))).toEqual(all);
  expect(existsSync(server.inWorkspace(id, 'two.txt'))).toBe(true);
});

test('a command that waits for leave runs once, although the server is killed before and behind it', async () => {
  const id = await sessionWith(client(), toolset('bash'));
  const file = server.inWorkspace(id, 'm');
  const prompt = `${bash('echo run >> m')} [[then say well]]`;
  const asked = await untilIdle(client(), id, [userMessage(prompt)]);
  await killAndStartAgain();
  const events = await untilIdle(
    client(),
    id,
    stopOf(asked).waiting.map((use) => confirmation(use)),
  );
  expect(stopOf(events).type).toBe('end_turn');
  expect(readFileSync(file, 'utf8')).toBe('run\n');
  await killAndStartAgain();
  await expectNextWorks(id);
  expect(readFileSync(file, 'utf8')).toBe('run\n');
  expect(callsIn(await keptEvents(client(), id))).toMatchObject([{ name: 'bash', results: 1 }]);
});

test('a write that is denied after kill -9 of the server is never done, and the model is told why', async () => {
  const id = await sessionWith(client(), toolset('write'));
  const file = server.inWorkspace(id, 'written.txt');
  const prompt = call('Write', { file_path: file, content: 'denied' });
  const asked = await untilIdle(client(), id, [userMessage(prompt)]);
  const [use = ''] = stopOf(asked).waiting;
  await killAndStartAgain();
  const events = await untilIdle(client(), id, [confirmation(use, 'Not on my machine.')]);
  expect(stopOf(events).type).toBe('end_turn');
  // Without more in the prompt, the model sums up what it was given as results.
  expect(answerIn(events)).toContain('Not on my machine.');
  expect(callsIn(await keptEvents(client(), id))).toMatchObject([{ id: use, results: 1 }]);
  await expectNextWorks(id);
  expect(existsSync(file)).toBe(false);
});

test.each([
  ['from other connections', () => Promise.resolve()],
  ['with a kill -9 of the server in between', killAndStartAgain],
] as const)(
  'two calls of one message are answered %s, the second first, and run once',
  async (_how, between) => {
    const id = await sessionWith(client(), toolset('bash'));
    const prompt = `${bash('echo first >> m')} ${bash('echo second >> m')} [[then say well]]`;
    const asked = await untilIdle(client(), id, [userMessage(prompt)]);
    const { waiting } = stopOf(asked);
    expect(waiting).toHaveLength(2);
    const [first = '', second = ''] = waiting;
    await client().beta.sessions.events.send(id, { events: [confirmation(second)] });
    expect((await client().beta.sessions.retrieve(id)).status).toBe('idle');
    await between();
    const events = await untilIdle(client(), id, [confirmation(first)]);
    expect(stopOf(events).type).toBe('end_turn');
    const lines = readFileSync(server.inWorkspace(id, 'm'), 'utf8').trimEnd().split('\n');
    expect(lines.toSorted()).toEqual(['first', 'second']);
    expect(callsIn(await keptEvents(client(), id))).toMatchObject([{ results: 1 }, { results: 1 }]);
  },
);

test('an answer to a call that does not wait is refused, with everything that came with it', async () => {
  const id = await sessionWith(client(), toolset('bash'));
  const asked = await untilIdle(client(), id, [userMessage(bash('echo run >> m'))]);
  const [use = ''] = stopOf(asked).waiting;
  const before = await keptEvents(client(), id);
  await expect(
    client().beta.sessions.events.send(id, { events: [confirmation(use), confirmation('sevt_x')] }),
  ).rejects.toMatchObject({ status: 400, errorCode: 'invalid_request' });
  expect(await keptEvents(client(), id)).toEqual(before);
  expect(stopOf(await untilIdle(client(), id, [confirmation(use)])).type).toBe('end_turn');
  await expect(
    client().beta.sessions.events.send(id, { events: [confirmation(use)] }),
  ).rejects.toMatchObject({ status: 400 });
  expect(readFileSync(server.inWorkspace(id, 'm'), 'utf8')).toBe('run\n');
});

test('a message and leave for its call are taken once under one key each', async () => {
  const id = await sessionWith(client(), toolset('bash'));
  const send = async (events: Parameters<typeof untilIdle>[2], key: string) => {
    const headers = { 'Idempotency-Key': key };
    return client().beta.sessions.events.send(id, { events }, { headers });
  };
  const idles = async () =>
    (await keptEvents(client(), id)).filter(({ type }) => type === 'session.status_idle');
  const key = randomUUID();
  const prompt = [userMessage(`${bash('echo run >> m')} [[then say well]]`)];
  const sent = [await send(prompt, key), await send(prompt, key)];
  expect(sent[1]?.data?.map((event) => event.id)).toEqual(sent[0]?.data?.map((event) => event.id));
  await vi.waitUntil(async () => (await idles()).length === 1, { timeout: 20_000 });
  const [use = ''] = stopOf(await idles()).waiting;
  const leave = randomUUID();
  await Promise.all([send([confirmation(use)], leave), send([confirmation(use)], leave)]);
  await vi.waitUntil(async () => (await idles()).length === 2, { timeout: 20_000 });
  await send([confirmation(use)], leave);
  await expectNextWorks(id);
  const kept = await keptEvents(client(), id);
  expect(kept.filter(({ type }) => type === 'user.message')).toHaveLength(2);
  expect(kept.filter(({ type }) => type === 'user.tool_confirmation')).toHaveLength(1);
  expect(readFileSync(server.inWorkspace(id, 'm'), 'utf8')).toBe('run\n');
});

const INTERRUPT = { type: 'user.interrupt' as const };

test.each([
  ['', () => Promise.resolve()],
  [', also after a kill -9 of the server', killAndStartAgain],
] as const)(
  'an interrupt while a call waits for leave ends the turn, and the call is never made%s',
  async (_how, before) => {
    const id = await sessionWith(client(), toolset('bash'));
    const asked = await untilIdle(client(), id, [userMessage(bash('echo run >> m'))]);
    await before();
    const events = await untilIdle(client(), id, [INTERRUPT]);
    expect(stopOf(events)).toEqual({ type: 'end_turn', waiting: [] });
    const late = stopOf(asked).waiting.map((use) => confirmation(use));
    await expect(client().beta.sessions.events.send(id, { events: late })).rejects.toMatchObject({
      status: 400,
    });
    await expectNextWorks(id);
    expect(existsSync(server.inWorkspace(id, 'm'))).toBe(false);
  },
);

test('an interrupt right behind the leave, while another process takes the call up, ends the turn', async () => {
  const id = await sessionWith(client(), toolset('bash'));
  const asked = await untilIdle(client(), id, [userMessage(bash('echo run >> m'))]);
  await killAndStartAgain();
  const leave = stopOf(asked).waiting.map((use) => confirmation(use));
  const events = await untilIdle(client(), id, [...leave, INTERRUPT]);
  expect(stopOf(events).type).toBe('end_turn');
  await expectNextWorks(id);
  const file = server.inWorkspace(id, 'm');
  // It came before the command or behind it.
  expect(existsSync(file) ? readFileSync(file, 'utf8') : 'run\n').toBe('run\n');
});

test.each([
  ['before the model answers', '[[stall headers]]', 'session.status_running'],
  ['while text streams', '[[slow 50ms]] [[long 5000 words]]', 'event_delta'],
  ['while a tool runs', bash('echo $$ > pid; exec sleep 300'), 'agent.tool_use'],
] as const)('an interrupt %s ends the turn, and the next works', async (_when, prompt, at) => {
  const id = await sessionWith(client(), toolset());
  let interrupted = false;
  const events = await untilIdle(client(), id, [userMessage(prompt)], async ({ type }) => {
    if (type !== at || interrupted) return;
    interrupted = true;
    if (type === 'agent.tool_use')
      await vi.waitUntil(() => existsSync(server.inWorkspace(id, 'pid')), { timeout: 20_000 });
    await client().beta.sessions.events.send(id, { events: [INTERRUPT] });
  });
  expect(stopOf(events).type).toBe('end_turn');
  expect(events.map(({ type }) => type)).toContain('user.interrupt');
  await expectNextWorks(id);
  expect(server.processes().filter(({ command }) => command.includes('sleep 300'))).toEqual([]);
});
