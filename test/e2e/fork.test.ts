import type Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSession } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { officialClient } from '../support/official-client.ts';
import { ServerFixture } from '../support/server-fixture.ts';
import { SseReader } from '../support/sse-reader.ts';

/** Forks of conversations with the real CLI: what it was shown stands in the simulator's answers. */

let server: ServerFixture;
let client: Anthropic;
beforeAll(async () => {
  server = await ServerFixture.start({ config: 'server:\n  agentEvents: true\n' });
  client = officialClient(server.url);
});
afterAll(() => server.end());

async function session(): Promise<string> {
  const agent = await client.beta.agents.create({
    name: 'Agent',
    model: 'sonnet',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await client.beta.environments.create({ name: 'here' });
  const { id } = await client.beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
  });
  return id;
}

async function say(id: string, text: string): Promise<string> {
  const message = await client.messages.create(
    { model: 'sonnet', max_tokens: 1_024, messages: [{ role: 'user', content: text }] },
    { headers: { 'x-session-id': id } },
  );
  return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}

async function fork(id: string, event_id?: string): Promise<string> {
  const body = event_id === undefined ? {} : { event_id };
  const path = `/v1/sessions/${id}/roundhouse/fork`;
  return (await client.post<BetaManagedAgentsSession>(path, { body })).id;
}

interface Page {
  readonly data: readonly { readonly type: string; readonly body: { readonly id: string } }[];
}

async function eventsOf(id: string): Promise<Page['data']> {
  return (await client.get<Page>(`/sessions/${id}/events`)).data;
}

test('a fork knows exactly what was before it, tools included, and goes on by itself, over a restart too', async () => {
  const trunk = await session();
  await say(trunk, 'trunk one');
  await say(trunk, '[[tool Bash {"command":"echo tool-of-the-trunk > f"}]] [[then say ran]]');
  const point = (await eventsOf(trunk)).findLast(({ type }) => type === 'agent.message');
  await say(trunk, 'trunk two');

  const half = await fork(trunk, point?.body.id);
  const whole = await fork(trunk);
  const inHalf = await say(half, 'half one');
  expect(inHalf).toContain('"trunk one"');
  expect(inHalf).toContain('I was shown 6 earlier messages');
  expect(inHalf).not.toContain('trunk two');
  const inWhole = await say(whole, 'whole one');
  expect(inWhole).toContain('"trunk two"');
  expect(inWhole).toContain('I was shown 8 earlier messages');
  const inTrunk = await say(trunk, 'trunk three');
  expect(inTrunk).toContain('I was shown 8 earlier messages');
  expect(inTrunk).not.toMatch(/half one|whole one/);

  await server.restart();
  client = officialClient(server.url);
  const later = await say(half, 'half two');
  expect(later).toContain('"half one"');
  expect(later).not.toMatch(/trunk two|trunk three|whole one/);
  const transcript = await client.get<Response>(`/v1/sessions/${half}/transcript`, {
    __binaryResponse: true,
  });
  const text = await transcript.text();
  expect(text).toContain('tool-of-the-trunk');
  expect(text).not.toMatch(/trunk two|trunk three|whole one/);
  // The work of the trunk stays its own: its folder is not the fork's.
  expect(await say(half, '[[tool Bash {"command":"ls f"}]]')).toMatch(/No such file/);
}, 120_000);

test('a fork of a turn that was interrupted before it said anything knows the turn before it', async () => {
  const trunk = await session();
  await say(trunk, 'calm');
  const stalled = say(trunk, '[[stall first-token]]').catch((error: unknown) => error);
  const reader = await SseReader.follow(server.url, trunk);
  for await (const { event } of reader) if (event === 'span.model_request_start') break;
  reader.leave();
  await client.post(`/sessions/${trunk}/interrupt`);
  await stalled;
  const prompt = (await eventsOf(trunk)).findLast(({ type }) => type === 'user.message');
  await say(trunk, 'afterwards');
  const before = await say(await fork(trunk, prompt?.body.id), 'in the fork');
  expect(before).toContain('I was shown 2 earlier messages; your earlier prompt was: "calm".');
  expect(await say(await fork(trunk), 'in the fork')).toContain('"afterwards"');
}, 120_000);

test('what the agent says can be looked at, without the credential', async () => {
  const id = await session();
  const reader = await SseReader.open(`${server.url}/v1/sessions/${id}/roundhouse/agent-events`);
  const answer = say(
    id,
    '[[tool Bash {"command":"env | grep ANTHROPIC_API_KEY"}]] [[then say ok]]',
  );
  const types: string[] = [];
  let all = '';
  for await (const { event, data } of reader) {
    types.push(event);
    all += JSON.stringify(data);
    if (event === 'result') break;
  }
  reader.leave();
  await answer;
  expect(types).toEqual(expect.arrayContaining(['stream_event', 'assistant', 'user', 'result']));
  expect(all).not.toContain('ANTHROPIC_API_KEY=simulator');
}, 120_000);
