import { existsSync, readFileSync } from 'node:fs';
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

import {
  confirmation,
  keptEvents,
  sessionWith,
  stopOf,
  toolset,
  untilIdle,
  userMessage,
} from '../support/agent-sessions.ts';
import { officialClient } from '../support/official-client.ts';
import { Program, runProgram, type Outcome } from '../support/program.ts';
import { ServerFixture } from '../support/server-fixture.ts';

/** The command line against a server of ours with real agents. */

const WRITE = '[[tool Bash {"command":"echo run >> m"}]]';

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

function roundhouse(...args: readonly string[]): Promise<Outcome> {
  return runProgram([...args, '--url', server.url]);
}

async function sessions(): Promise<string[]> {
  const { data } = await client().beta.sessions.list();
  return data.map(({ id }) => id);
}

const line = z.looseObject({ id: z.string(), type: z.string() });

test('a prompt is run, and leaves no session behind', async () => {
  const ended = await roundhouse('run', 'Hello there');
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('"Hello there"') });
  expect(await sessions()).toEqual([]);
});

test.each([
  ['the turn fails', '[[error 400]]', 3, 'The turn failed'],
  ['the model refuses', '[[refusal]]', 4, 'The model refused'],
] as const)('where %s, the exit code says it', async (_what, prompt, code, words) => {
  const ended = await roundhouse('run', prompt);
  expect(ended).toMatchObject({ code, stderr: expect.stringContaining(words) });
  expect(await sessions()).toEqual([]);
});

test('a session that has cost more than its budget is run no more, and the exit code says it', async () => {
  const { beta } = client();
  // A budget wants a model with a public list price.
  const agent = await beta.agents.create({ name: 'A', model: 'claude-opus-5-5' });
  const environment = await beta.environments.create({ name: 'E' });
  const { id } = await beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
    budget: { type: 'limit', max_list_cost: { amount: '1', currency: 'USD' } },
  });
  const dear = '[[usage in 500000 out 50000]] [[say dear]]';
  expect(await roundhouse('run', dear, '--session', id)).toMatchObject({ stdout: 'dear\n' });
  const ended = await roundhouse('run', 'and again', '--session', id);
  expect(ended).toMatchObject({ code: 7, stdout: '' });
});

test('Ctrl-C interrupts the turn and the session is cleared away', async () => {
  const before = await sessions();
  const program = await Program.start([
    'run',
    '[[slow 50ms]] [[long 5000 words]]',
    '--url',
    server.url,
  ]);
  // Of the answer: what a person is told on stderr may come before the turn can be interrupted.
  await program.until('engines under');
  program.interrupt();
  expect(await program.finish()).toMatchObject({ code: 5 });
  expect(await sessions()).toEqual(before);
});

test('a turn that waits for leave goes on for the API, and a tail shows it whole, over a kill -9', async () => {
  const prompt = `${WRITE} [[then say well]]`;
  const run = await roundhouse(
    'run',
    prompt,
    '--tools',
    'bash',
    '--ask',
    'bash',
    '--keep',
    '--json',
  );
  expect(run.code).toBe(6);
  const { session_id: id } = z
    .object({ session_id: z.string(), outcome: z.literal('action_required') })
    .parse(JSON.parse(run.stdout));
  expect(existsSync(server.inWorkspace(id, 'm'))).toBe(false);
  await server.kill('SIGKILL');
  await server.restart();

  const args = ['sessions', 'tail', id, '--all', '--json', '--url', server.url];
  const tail = await Program.start(args);
  await tail.until('requires_action');
  const idles = (await keptEvents(client(), id)).filter(
    ({ type }) => type === 'session.status_idle',
  );
  const answers = stopOf(idles).waiting.map((use) => confirmation(use));
  expect(stopOf(await untilIdle(client(), id, answers)).type).toBe('end_turn');
  await tail.until('end_turn');
  expect(readFileSync(server.inWorkspace(id, 'm'), 'utf8')).toBe('run\n');
  const kept = z.array(line).parse(await keptEvents(client(), id));
  await client().beta.sessions.delete(id);
  const { code, stdout } = await tail.finish();
  expect(code).toBe(0);
  const shown = stdout
    .trimEnd()
    .split('\n')
    .map((text) => line.parse(JSON.parse(text)));
  expect(shown.at(-1)?.type).toBe('session.deleted');
  expect(shown.slice(0, -1).map((event) => event.id)).toEqual(kept.map((event) => event.id));
});

test('a chat in a pipe denies what needs leave, with a message for the model, and goes on', async () => {
  const id = await sessionWith(client(), toolset('bash'));
  const input = `${WRITE}\nAnd now?\n`;
  const chat = await runProgram(['chat', '--session', id, '--url', server.url], { input });
  expect(chat).toMatchObject({ code: 0 });
  expect(chat.stdout).toContain('Nobody is at the terminal who could allow this.');
  expect(chat.stdout).toContain('You said: "And now?"');
  expect(existsSync(server.inWorkspace(id, 'm'))).toBe(false);
});

test('a chat takes up the turn that waits in its session', async () => {
  const id = await sessionWith(client(), toolset('bash'));
  expect(stopOf(await untilIdle(client(), id, [userMessage(WRITE)])).type).toBe('requires_action');
  const chat = await runProgram(['chat', '--session', id, '--url', server.url], {
    input: 'next\n',
  });
  expect(chat).toMatchObject({ code: 0 });
  expect(chat.stdout).toContain('You said: "next"');
  const ends = (await keptEvents(client(), id)).filter(
    ({ type }) => type === 'session.status_idle',
  );
  expect(stopOf(ends).type).toBe('end_turn');
  expect(existsSync(server.inWorkspace(id, 'm'))).toBe(false);
});
