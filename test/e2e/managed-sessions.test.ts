import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Anthropic from '@anthropic-ai/sdk';
import type { EnvironmentCreateParams } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type { BetaManagedAgentsSession } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { expect, onTestFinished, test, vi } from 'vitest';

import { startSimulator } from '../../src/simulator/simulator.ts';
import { gitIn, makeRepository } from '../support/git-repository.ts';
import { askServer, officialClient } from '../support/official-client.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { ServerFixture } from '../support/server-fixture.ts';

const SECRET = 'swordfish-4711';
/** Shows that the tool has the variable, without saying it. */
const LOOK = '[[tool Bash {"command":"printf %s \\"$APP_TOKEN\\" | rev"}]]';
const SEEN = '1174-hsifdrows';

async function server(): Promise<ServerFixture> {
  const fixture = await ServerFixture.start({
    env: { ROUNDHOUSE_ENVIRONMENTS_VARIABLES: 'APP_*', ROUNDHOUSE_POOL_SPARES_MAX: '0' },
  });
  onTestFinished(() => fixture.end());
  return fixture;
}

async function madeOf(
  client: Anthropic,
  roundhouse: object = { variables: { APP_TOKEN: { value: SECRET, secret: true } } },
  agent?: string,
): Promise<{ agent: string; environment_id: string }> {
  const params: EnvironmentCreateParams & { roundhouse: object } = { name: 'here', roundhouse };
  const environment = await client.beta.environments.create(params);
  return { agent: agent ?? (await coder(client)), environment_id: environment.id };
}

async function coder(client: Anthropic): Promise<string> {
  const { id } = await client.beta.agents.create({
    name: 'Coder',
    model: 'claude-opus-5-5',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  return id;
}

function idle(client: Anthropic, id: string): Promise<BetaManagedAgentsSession> {
  return vi.waitFor(
    async () => {
      const session = await client.beta.sessions.retrieve(id);
      expect(session.status).toBe('idle');
      return session;
    },
    { timeout: 20_000, interval: 100 },
  );
}

test('a session runs by its agent and its environment, over a kill of the server, until it is deleted', async () => {
  const fixture = await server();
  const first = officialClient(fixture.url);
  const { id } = await first.beta.sessions.create({
    ...(await madeOf(first)),
    initial_events: [{ type: 'user.message', content: [{ type: 'text', text: LOOK }] }],
  });
  const { usage, stats } = await idle(first, id);
  expect(usage.output_tokens).toBeGreaterThan(0);
  expect(stats.active_seconds).toBeGreaterThan(0);
  const [agent] = await fixture.agents();
  expect(agent?.sessionId).toBe(id);
  const { pid = 0 } = agent ?? {};
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toContain(`APP_TOKEN=${SECRET}`);
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(SECRET);
  expect(JSON.stringify(await records(fixture, id))).toContain(SEEN);

  await fixture.kill('SIGKILL');
  await fixture.restart();
  const client = officialClient(fixture.url);
  const again = await client.beta.sessions.retrieve(id);
  expect(again).toMatchObject({
    status: 'idle',
    usage,
    stats: { active_seconds: stats.active_seconds },
  });
  expect(await askServer(fixture.url, id, LOOK)).toContain(SEEN);
  expect(
    JSON.stringify([fixture.log.lines, fixture.output, await records(fixture, id)]),
  ).not.toContain(SECRET);

  await client.beta.sessions.delete(id);
  expect(fixture.agentsAlive()).toBe(0);
  expect(await readdir(join(fixture.dataDir, 'workspaces'))).toEqual([]);
  expect(fixture.rows()).toEqual({ sessions: 0, events: 0, open_turns: 0, transcript_entries: 0 });
});

test('an archived session gives its process back, and its conversation stays to be read', async () => {
  const fixture = await server();
  const client = officialClient(fixture.url);
  const { id } = await client.beta.sessions.create({
    ...(await madeOf(client)),
    initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'hello' }] }],
  });
  await idle(client, id);
  await client.beta.sessions.archive(id);
  expect(fixture.agentsAlive()).toBe(0);
  expect(existsSync(join(fixture.dataDir, 'workspaces', id))).toBe(true);
  expect(JSON.stringify(await records(fixture, id))).toContain('hello');
  await expect(askServer(fixture.url, id, 'more')).rejects.toMatchObject({
    status: 400,
    errorCode: 'session_archived',
  });
});

test('an agent works in a clone of its own, and knows it, over a kill of the server', async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const proxy = await startRecordingProxy(simulator.url);
  onTestFinished(() => proxy.close());
  const root = await mkdtemp(join(tmpdir(), 'roundhouse-clone-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const source = await makeRepository(join(root, 'source'), 'what the file says');
  const fixture = await ServerFixture.start({
    upstream: proxy,
    env: { ROUNDHOUSE_WORKSPACES_ALLOWED: root, ROUNDHOUSE_POOL_SPARES_MAX: '1' },
  });
  onTestFinished(() => fixture.end());
  const first = officialClient(fixture.url);
  // So that a process is prepared for the next session, which is not one with a clone.
  const { agent, environment_id } = await madeOf(first, {});
  const ready = fixture.log.waitForEvent('spare_ready');
  const fresh = await first.beta.sessions.create({ agent, environment_id });
  await askServer(fixture.url, fresh.id, 'one');
  await ready;

  const workspace = { type: 'git_clone', path: source };
  const { id } = await first.beta.sessions.create(await madeOf(first, { workspace }, agent));
  const folder = join(fixture.dataDir, 'workspaces', id);
  const read = `[[tool Read {"file_path":"${join(folder, 'a.txt')}"}]]`;
  expect(await askServer(fixture.url, id, read)).toContain('what the file says');
  expect(proxy.bodies.at(-1)).toContain('Is a git repository: true');
  const write =
    '[[tool Bash {"command":"echo mine > a.txt && git -c user.name=a -c user.email=a@b commit -qam mine; git push 2>&1"}]]';
  expect(await askServer(fixture.url, id, write)).toContain('fatal');

  await fixture.kill('SIGKILL');
  await fixture.restart();
  expect(await askServer(fixture.url, id, read)).toContain('mine');
  expect(await gitIn(source, 'log', '--all', '--format=%s')).not.toContain('mine');
  const client = officialClient(fixture.url);
  await client.beta.sessions.delete(id);
  expect(existsSync(folder)).toBe(false);
});

async function records(fixture: ServerFixture, id: string): Promise<unknown> {
  return (await fetch(`${fixture.url}/sessions/${id}/events`)).json();
}
