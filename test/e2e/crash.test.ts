import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
  vi,
} from 'vitest';

import { openSessionPool } from '../../src/open-session-pool.ts';
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { askServer } from '../support/official-client.ts';
import { processesOf, type FoundProcess } from '../support/leftovers.ts';
import { CLEAN_PATH, ServerFixture, type ServerOptions } from '../support/server-fixture.ts';
import {
  consecutive,
  numbersOf,
  sessionRecords,
  turnEnds,
  recordSchema,
  type SessionRecord,
} from '../support/session-events.ts';
import { SseReader, type SseEvent } from '../support/sse-reader.ts';

/** Without it nothing ends the agents of a server that was killed, until the next start. */
const HAS_SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].some((path) => existsSync(path));
/** What a killed server may leave alive, and for how long. */
const GONE_WITHIN_MS = 5_000;
const HOST = fileURLToPath(new URL('./fixtures/pool-host.ts', import.meta.url));
/** The CLI refuses a bare `sleep`. */
const ENDLESS_TOOL = 'while true; do sleep 1; done';

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});

afterAll(async () => {
  await simulator?.close();
});

beforeEach(() => simulator.reset());

async function startServer(options: Partial<ServerOptions> = {}): Promise<ServerFixture> {
  const server = await ServerFixture.start({ upstream: simulator, ...options });
  onTestFinished(() => server.end());
  return server;
}

function tool(command: string): string {
  return `[[tool Bash ${JSON.stringify({ command })}]]`;
}

function isText(event: SseEvent): boolean {
  return event.event === 'content_block_delta';
}

/** How often the upstream was sent a prompt. */
function timesSent(text: string): number {
  return simulator.requests.filter((request) => request.prompt?.includes(text) === true).length;
}

describe('kill -9 of an agent process in the middle of a turn', () => {
  test('ends the stream with one error within 1 s; the next prompt has the context, and nothing ran twice', async () => {
    const server = await startServer();
    await askServer(server.url, 'demo', 'My name is Ada.');
    const { pid } = await server.agent();
    const reader = await SseReader.prompt(server.url, '[[slow 100ms]] [[long 500 words]] a story', {
      'x-session-id': 'demo',
    });
    await reader.until(isText);
    const killedAtMs = monotonicMs();
    process.kill(pid, 'SIGKILL');
    const events = await reader.rest();
    const errors = events.filter(({ event }) => event === 'error');
    expect(errors).toHaveLength(1);
    expect(events.at(-1)).toBe(errors[0]);
    expect(errors[0]?.data).toMatchObject({ type: 'error', error: { type: 'api_error' } });
    expect((errors[0]?.atMs ?? Infinity) - killedAtMs).toBeLessThan(1_000);
    expect(events.some(({ event }) => event === 'message_stop')).toBe(false);

    const answer = await askServer(server.url, 'demo', 'Who am I?');
    expect(answer).toContain('You said: "Who am I?"');
    expect(answer).toContain('"My name is Ada."');
    expect(timesSent('a story')).toBe(1);
    const records = await sessionRecords(server.url, 'demo');
    expect(turnEnds(records)).toEqual(['completed', 'agent_died', 'completed']);
    expect((await server.agent()).pid).not.toBe(pid);
  });

  test('while a tool runs takes the tool with it', async () => {
    const server = await startServer();
    const turn = rest(SseReader.prompt(server.url, tool(ENDLESS_TOOL), { 'x-session-id': 'demo' }));
    await untilToolRuns(server.root);
    process.kill((await server.agent()).pid, 'SIGKILL');
    await turn;
    expect(await askServer(server.url, 'demo', 'again')).toContain('You said: "again"');
    expect(server.agentsAlive()).toBe(1);
    expect(toolsOf(server.root)).toEqual([]);
    expect(turnEnds(await sessionRecords(server.url, 'demo'))).toEqual(['agent_died', 'completed']);
  });
});

describe.runIf(HAS_SETPRIV)('kill -9 of the server', () => {
  test('in the middle of a stream leaves no process; the next start has every event once, one end, and the context', async () => {
    const server = await startServer();
    await askServer(server.url, 'demo', 'My name is Ada.');
    const follower = await SseReader.follow(server.url, 'demo');
    const reader = await SseReader.prompt(server.url, '[[slow 100ms]] [[long 500 words]] a story', {
      'x-session-id': 'demo',
    });
    await reader.until(isText);
    await server.kill('SIGKILL');
    await server.untilNothingLives(GONE_WITHIN_MS);
    const acknowledged = recordsOf(await follower.rest());

    await server.restart();
    const records = await sessionRecords(server.url, 'demo');
    expect(numbersOf(records)).toEqual(consecutive(records.length));
    expect(records.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(turnEnds(records)).toEqual(['completed', 'interrupted_by_crash']);
    expect(await askServer(server.url, 'demo', 'Who am I?')).toContain('"My name is Ada."');
    expect(timesSent('a story')).toBe(1);
  });

  test('while the model says nothing leaves no process, and runs a queued prompt once after the next start', async () => {
    const server = await startServer();
    await askServer(server.url, 'demo', 'My name is Ada.');
    const follower = await SseReader.follow(server.url, 'demo');
    const session = { 'x-session-id': 'demo' };
    const hung = rest(SseReader.prompt(server.url, '[[stall headers]] hung', session));
    await simulator.waitForRequest(({ prompt }) => prompt?.includes('hung') === true);
    const queued = rest(SseReader.prompt(server.url, 'was queued', session));
    await follower.until(
      ({ event, data }) => event === 'user.message' && JSON.stringify(data).includes('was queued'),
    );
    await server.kill('SIGKILL');
    await Promise.all([hung, queued]);
    await server.untilNothingLives(GONE_WITHIN_MS);
    const acknowledged = recordsOf(await follower.rest());

    const from = server.log.mark;
    await server.restart();
    await server.log.waitForEvent('session_turn_ended', { sessionId: 'demo' }, { from });
    const answer = await askServer(server.url, 'demo', 'Who am I?');
    expect(answer).toContain('"My name is Ada."');
    expect(answer).toContain('"was queued"');
    const records = await sessionRecords(server.url, 'demo');
    expect(numbersOf(records)).toEqual(consecutive(records.length));
    expect(records.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(turnEnds(records)).toEqual([
      'completed',
      'interrupted_by_crash',
      'completed',
      'completed',
    ]);
    // The request of the next prompt holds it as an earlier one.
    expect(simulator.requests.filter(({ prompt }) => prompt === 'was queued')).toHaveLength(1);
    expect(timesSent('hung')).toBe(1);
  });

  test('while a tool runs leaves no process, the tool included', async () => {
    const server = await startServer();
    await askServer(server.url, 'demo', 'first');
    const turn = rest(SseReader.prompt(server.url, tool(ENDLESS_TOOL), { 'x-session-id': 'demo' }));
    await untilToolRuns(server.root);
    await server.kill('SIGKILL');
    await turn;
    await server.untilNothingLives(GONE_WITHIN_MS);

    await server.restart();
    expect(await askServer(server.url, 'demo', 'still there?')).toContain('"first"');
    expect(turnEnds(await sessionRecords(server.url, 'demo'))).toEqual([
      'completed',
      'interrupted_by_crash',
      'completed',
    ]);
  });

  test('twice in a row while sessions work at once loses nothing', async () => {
    const server = await startServer({ args: ['--max-processes', '3'] });
    const names = ['a', 'b', 'c'];
    for (let round = 1; round <= 2; round += 1) {
      const from = server.log.mark;
      const turns = names.map((name) =>
        rest(
          SseReader.prompt(server.url, `[[slow 100ms]] round ${round}`, { 'x-session-id': name }),
        ),
      );
      // One has answered, the others are anywhere.
      await server.log.waitForEvent('session_turn_ended', {}, { from });
      await server.kill('SIGKILL');
      await Promise.all(turns);
      await server.untilNothingLives(GONE_WITHIN_MS);
      await server.restart();
    }
    for (const name of names) {
      const answer = await askServer(server.url, name, 'the end');
      expect(answer).toContain('You said: "the end"');
      const records = await sessionRecords(server.url, name);
      expect(numbersOf(records)).toEqual(consecutive(records.length));
      const prompts = records.filter(({ type }) => type === 'user.message');
      expect(turnEnds(records)).toHaveLength(prompts.length);
    }
  });
});

describe.runIf(HAS_SETPRIV)('kill -9 of a program that uses the library', () => {
  test('while a tool runs leaves no process, what the tool set free included', async () => {
    const folder = await killedHost(tool(`setsid sh -c '${ENDLESS_TOOL}; :' & ${ENDLESS_TOOL}`));
    await vi.waitFor(() => expect(processesOf(folder)).toEqual([]), { timeout: GONE_WITHIN_MS });
  });

  test('after a tool has left something running leaves it to the next start, which ends it', async () => {
    const command = `setsid sh -c '${ENDLESS_TOOL}; :' > /dev/null 2>&1 & echo started`;
    const folder = await killedHost(`${tool(command)} [[then]] [[stall text]]`);
    await vi.waitFor(() => expect(processesOf(folder).filter(isAgent)).toEqual([]), {
      timeout: GONE_WITHIN_MS,
    });
    const opened = await openSessionPool({
      dataDir: folder,
      credentials: { ANTHROPIC_BASE_URL: simulator.url, ANTHROPIC_API_KEY: 'sk-dummy-key' },
    });
    expect(processesOf(folder)).toEqual([]);
    await opened.close();
  });
});

describe('SIGTERM of the server', () => {
  test('lets the running turn finish, ends with 0 and leaves nothing alive', async () => {
    const server = await startServer();
    const reader = await SseReader.prompt(server.url, '[[slow 50ms]] [[long 30 words]]', {
      'x-session-id': 'demo',
    });
    await reader.until(isText);
    server.signal('SIGTERM');
    await server.log.waitForEvent('server_draining');
    const refused = await fetch(`${server.url}/health/ready`).catch(() => undefined);
    expect(refused === undefined || refused.status === 503).toBe(true);
    const events = await reader.rest();
    expect(events.at(-1)?.event).toBe('message_stop');
    expect(await server.exited()).toEqual({ code: 0, signal: null });
    expect(server.processes()).toEqual([]);
    expect((await readdir(join(server.dataDir, 'processes'))).length).toBe(0);

    await server.restart();
    expect(turnEnds(await sessionRecords(server.url, 'demo'))).toEqual(['completed']);
  });

  test('a second time ends at once, and leaves nothing alive', async () => {
    const server = await startServer();
    const reader = await SseReader.prompt(server.url, '[[stall text]] hangs', {
      'x-session-id': 'demo',
    });
    await reader.until(isText);
    server.signal('SIGTERM');
    await server.log.waitForEvent('server_draining');
    const sinceMs = monotonicMs();
    server.signal('SIGTERM');
    expect(await server.exited()).toEqual({ code: 1, signal: null });
    expect(monotonicMs() - sinceMs).toBeLessThan(3_000);
    expect(server.processes()).toEqual([]);
    const events = await reader.rest();
    expect(events.filter(({ event }) => event === 'error')).toHaveLength(1);

    await server.restart();
    expect(turnEnds(await sessionRecords(server.url, 'demo'))).toHaveLength(1);
    expect(await askServer(server.url, 'demo', 'again')).toContain('You said: "again"');
  });
});

test('SIGTERM is not held up by a connection on which nothing was asked, nor by a reader', async () => {
  const server = await startServer();
  await askServer(server.url, 'demo', 'one');
  const { hostname, port } = new URL(server.url);
  const silent = connect(Number(port), hostname);
  onTestFinished(() => void silent.destroy());
  await once(silent, 'connect');
  const follower = await SseReader.follow(server.url, 'demo');
  await follower.until(({ event }) => event === 'session.status_idle');
  const sinceMs = monotonicMs();
  expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(monotonicMs() - sinceMs).toBeLessThan(5_000);
  expect((await follower.rest()).at(-1)).toMatchObject({
    event: 'end',
    data: { reason: 'draining', reconnect: true },
  });
});

test('what a killed server had not stored of a transcript is taken from the folder of its agent', async () => {
  const server = await startServer();
  await askServer(server.url, 'demo', 'My name is Ada.');
  await askServer(server.url, 'demo', 'I live in Turin.');
  await server.kill('SIGKILL');
  await server.untilNothingLives(GONE_WITHIN_MS);
  // As if it had died a moment earlier: the agent has written its second turn, and the store has not got it.
  const database = new DatabaseSync(join(server.dataDir, 'roundhouse.db'));
  const { changes } = database
    .prepare("delete from transcript_entries where entry like '%I live in Turin%'")
    .run();
  database.close();
  expect(changes).toBeGreaterThan(0);
  await server.restart();
  expect(await readdir(join(server.dataDir, 'processes'))).toEqual([]);
  const answer = await askServer(server.url, 'demo', 'Who am I?');
  expect(answer).toContain('"My name is Ada.", "I live in Turin."');
});

test('a session resumes from the store when its local files are gone', async () => {
  const server = await startServer();
  await askServer(server.url, 'demo', 'My name is Ada.');
  await askServer(server.url, 'demo', 'I live in Turin.');
  await server.kill('SIGKILL');
  await server.untilNothingLives(GONE_WITHIN_MS);
  const processes = join(server.dataDir, 'processes');
  for (const name of await readdir(processes)) await rm(join(processes, name), { recursive: true });
  await server.restart();
  const answer = await askServer(server.url, 'demo', 'Who am I?');
  expect(answer).toContain('4 earlier messages');
  expect(answer).toContain('"My name is Ada.", "I live in Turin."');
});

function isAgent({ command }: FoundProcess): boolean {
  return command.includes('--output-format');
}

/** Runs the program on a prompt until the tool has set a process free, kills it, and gives its folder. */
async function killedHost(prompt: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rh-host-'));
  const host = spawn(process.execPath, [HOST, folder, simulator.url, prompt], {
    env: { PATH: CLEAN_PATH, HOME: folder },
    stdio: 'ignore',
  });
  onTestFinished(async () => {
    host.kill('SIGKILL');
    for (const { pid } of processesOf(folder)) process.kill(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  const exited = once(host, 'exit');
  const setFree = (): FoundProcess[] =>
    toolsOf(folder).filter(({ command }) => command.startsWith('sh -c'));
  await expect.poll(setFree, { timeout: 20_000, interval: 50 }).not.toEqual([]);
  if (prompt.includes('[[stall'))
    await simulator.waitForRequest(({ messageCount = 0 }) => messageCount > 1);
  host.kill('SIGKILL');
  await exited;
  return folder;
}

/** Reads a stream to its end, whatever end that is: its server may be killed before it has answered. */
async function rest(opening: Promise<SseReader>): Promise<readonly SseEvent[]> {
  try {
    return await (await opening).rest();
  } catch {
    return [];
  }
}

/** Shells that run the endless tool: Claude Code's own, and what the tool started. */
function toolsOf(folder: string): FoundProcess[] {
  return processesOf(folder).filter(({ command }) => command.includes(ENDLESS_TOOL));
}

/** Nobody tells that a tool's own process has begun, so it is looked for. */
async function untilToolRuns(folder: string): Promise<void> {
  await expect.poll(() => toolsOf(folder), { timeout: 20_000, interval: 50 }).not.toEqual([]);
}

function recordsOf(events: readonly SseEvent[]): SessionRecord[] {
  return events.flatMap(({ id, data }) => (id === undefined ? [] : [recordSchema.parse(data)]));
}
