import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';

import { openSessionPool } from '../../src/open-session-pool.ts';
import { turnEndOf, type EventRecord } from '../../src/events/record.ts';
import type { SessionPool } from '../../src/pool/session-pool.ts';
import type { ClientAnswer } from '../../src/session/awaited-answers.ts';
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { processesOf } from '../support/leftovers.ts';
import { answerOf, collect, text } from '../support/pool-fixture.ts';
import { RealPool } from '../support/real-pool.ts';
import { CLEAN_PATH } from '../support/server-fixture.ts';

const HOST = fileURLToPath(new URL('./fixtures/waiting-host.ts', import.meta.url));

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});

afterAll(async () => {
  await simulator?.close();
});

function confirmation(toolUseEventId: string, denial?: string): ClientAnswer {
  const body = {
    type: 'user.tool_confirmation',
    id: `sevt_of_${toolUseEventId}`,
    tool_use_id: toolUseEventId,
  } as const;
  return {
    toolUseEventId,
    body:
      denial === undefined
        ? { ...body, result: 'allow' }
        : { ...body, result: 'deny', deny_message: denial },
  };
}

interface Kill {
  /** The first call is allowed, and the host killed when that has made this mark. */
  readonly mark?: string;
  /** Its agent is stopped before, so that it writes nothing more. */
  readonly agentAtOnce?: boolean;
}

/** A program on the library that has run into a question, and was killed with -9; and what it was asked. */
async function killedHost(
  prompt: string,
  { mark, agentAtOnce = false }: Kill = {},
): Promise<{ folder: string; ids: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'rh-waiting-'));
  const args = [HOST, folder, simulator.url, prompt, mark === undefined ? '' : 'allow'];
  const host = spawn(process.execPath, args, {
    env: { PATH: CLEAN_PATH, HOME: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    host.kill('SIGKILL');
    for (const { pid } of processesOf(folder)) process.kill(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  const exited = once(host, 'exit');
  const [said] = await once(createInterface({ input: host.stdout }), 'line');
  if (mark !== undefined)
    await vi.waitUntil(() => existsSync(mark), { timeout: 20_000, interval: 50 });
  const agents = processesOf(folder).filter(({ command }) => command.includes('--output-format'));
  if (agentAtOnce) for (const { pid } of agents) process.kill(pid, 'SIGSTOP');
  host.kill('SIGKILL');
  await exited;
  if (agentAtOnce) for (const { pid } of agents) process.kill(pid, 'SIGKILL');
  return { folder, ids: z.array(z.string()).parse(JSON.parse(String(said))) };
}

/** A folder for what calls leave behind. */
async function folderForMarks(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rh-marks-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function bash(command: string): string {
  return `[[tool Bash ${JSON.stringify({ command })}]]`;
}

async function reopened(folder: string): Promise<SessionPool> {
  const { pool, close } = await openSessionPool({
    dataDir: folder,
    credentials: { ANTHROPIC_BASE_URL: simulator.url, ANTHROPIC_API_KEY: 'sk-dummy-key' },
  });
  onTestFinished(() => close(0));
  return pool;
}

/** Waits for the end of the one turn of the session, and gives its records. */
async function ended(pool: SessionPool): Promise<EventRecord[]> {
  const abort = new AbortController();
  const items = await pool.followEvents('default', 'demo', { after: 0, signal: abort.signal });
  const records: EventRecord[] = [];
  for await (const { record } of items) {
    if (record === undefined) continue;
    records.push(record);
    if (turnEndOf(record) !== undefined) break;
  }
  abort.abort();
  return records;
}

function resultsOf(records: readonly EventRecord[]): string[] {
  return records.flatMap(({ body }) =>
    body.type === 'agent.tool_result' ? [JSON.stringify(body.content)] : [],
  );
}

test('a turn that asks stops, and after kill -9 of its host the allowed call is carried out, once', async () => {
  const folderOfMarks = await folderForMarks();
  const file = join(folderOfMarks, 'written.txt');
  const write = `[[tool Write ${JSON.stringify({ file_path: file, content: 'once' })}]]`;
  const { folder, ids } = await killedHost(`${write} [[then say written]]`);
  expect(existsSync(file)).toBe(false);
  const pool = await reopened(folder);
  expect(existsSync(file)).toBe(false);
  await pool.answer(
    'default',
    'demo',
    ids.map((id) => confirmation(id)),
  );
  const records = await ended(pool);
  expect(turnEndOf(records.at(-1) ?? { detail: {} })?.reason).toBe('completed');
  expect(await readFile(file, 'utf8')).toBe('once');
  await rm(file);
  const session = await pool.getSessionClient('demo');
  const answer = answerOf(await collect(await session.prompt(text('And now?'))));
  expect(answer).toContain('You said: "And now?"');
  expect(existsSync(file), 'it was written again').toBe(false);
});

test('a call that is denied after kill -9 of its host is never carried out, and the model is told why', async () => {
  const marks = await folderForMarks();
  const { folder, ids } = await killedHost(`${bash(`echo run >> ${marks}/m`)} [[then say well]]`);
  const pool = await reopened(folder);
  await pool.answer(
    'default',
    'demo',
    ids.map((id) => confirmation(id, 'Not on my machine.')),
  );
  const records = await ended(pool);
  expect(turnEndOf(records.at(-1) ?? { detail: {} })?.reason).toBe('completed');
  expect(resultsOf(records).join()).toContain('Not on my machine.');
  expect(existsSync(join(marks, 'm'))).toBe(false);
});

test('several calls of one message are all decided after kill -9 of their host, read-only ones too', async () => {
  const marks = await folderForMarks();
  const calls = [`echo a >> ${marks}/m`, `cat ${HOST}`, `echo c >> ${marks}/m`].map(bash);
  const { folder, ids } = await killedHost(`${calls.join(' ')} [[then say well]]`);
  expect(ids).toHaveLength(3);
  const pool = await reopened(folder);
  const [a = '', b = '', c = ''] = ids;
  await pool.answer('default', 'demo', [confirmation(c)]);
  await pool.answer('default', 'demo', [confirmation(b, 'Do not read it.'), confirmation(a)]);
  const records = await ended(pool);
  expect(turnEndOf(records.at(-1) ?? { detail: {} })?.reason).toBe('completed');
  expect(await readFile(join(marks, 'm'), 'utf8')).toBe('a\nc\n');
  const results = resultsOf(records);
  expect(results).toHaveLength(3);
  expect(results[1]).toContain('Do not read it.');
  expect(results.join()).not.toContain('openSessionPool');
});

test.each([
  ['and its agent had no time to say what came of it', true, /^completed$/, /It is not known/],
  ['is not repeated, whatever its agent has still noted', false, /./, /./],
] as const)(
  'a call in the middle of which its host was killed, %s, is carried out once',
  async (_how, agentAtOnce, reason, result) => {
    const mark = join(await folderForMarks(), 'm');
    const endless = bash(`echo run >> ${mark}; while true; do sleep 1; done`);
    const prompt = `${endless} [[then say well]]`;
    const { folder, ids } = await killedHost(prompt, { mark, agentAtOnce });
    const pool = await reopened(folder);
    const answers = ids.map((id) => confirmation(id));
    await expect(pool.answer('default', 'demo', answers)).rejects.toMatchObject({
      code: 'invalid_request',
    });
    const records = await ended(pool);
    expect(turnEndOf(records.at(-1) ?? { detail: {} })?.reason).toMatch(reason);
    const after = await (await pool.getSessionClient('demo')).prompt(text('And now?'));
    expect(answerOf(await collect(after))).toContain('You said: "And now?"');
    expect(`${resultsOf(records).join()} nothing`).toMatch(result);
    expect(await readFile(mark, 'utf8')).toBe('run\n');
  },
);

test('a process that waits is taken for another session, and the turn goes on in a new one', async () => {
  const real = await RealPool.open({ pool: { maxProcesses: 1 } });
  onTestFinished(() => real.end());
  const session = await real.pool.getSessionClient('demo', { agent: { askFirst: ['Bash'] } });
  const prompt = `${bash('echo run >> m')} ${bash('echo again >> m')} [[then say well]]`;
  const turn = await session.prompt(text(prompt), { answers: 'client' });
  const waits = new Promise<void>((resolve) => {
    void (async () => {
      for await (const { record } of turn) {
        if (record?.body.type !== 'session.status_idle') continue;
        resolve();
        return;
      }
    })();
  });
  await waits;
  expect((await real.ask('other', 'hello')).text).toContain('You said: "hello"');
  expect(session.clientId).toBeNull();
  await session.answer(session.awaitedAnswers.map((id) => confirmation(id)));
  expect(await turn.ended).toMatchObject({ reason: 'completed' });
  expect(await readFile(join(session.row.workspace, 'm'), 'utf8')).toBe('run\nagain\n');
});
