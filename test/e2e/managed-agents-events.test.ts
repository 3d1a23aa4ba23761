import { randomUUID } from 'node:crypto';
import type Anthropic from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsStreamSessionEvents as StreamEvent,
  EventSendParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { officialClient } from '../support/official-client.ts';
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts';
import { ServerFixture } from '../support/server-fixture.ts';

let simulator: Simulator;
let proxy: RecordingProxy;
let server: ServerFixture;

beforeAll(async () => {
  simulator = await startSimulator();
  proxy = await startRecordingProxy(simulator.url);
  server = await ServerFixture.start({ upstream: proxy });
});

afterAll(async () => {
  await server?.end();
  await proxy?.close();
  await simulator?.close();
});

async function newSession({ beta }: Anthropic): Promise<string> {
  const agent = await beta.agents.create({ name: 'A', model: 'sonnet', system: 'You are A.' });
  const environment = await beta.environments.create({ name: 'E' });
  const session = await beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  return session.id;
}

function message(text: string): EventSendParams['events'][number] {
  return { type: 'user.message', content: [{ type: 'text', text }] };
}

/** Sends events and reads to the next idle session. */
async function run(
  client: Anthropic,
  id: string,
  events: EventSendParams['events'],
  headers: Readonly<Record<string, string>> = {},
): Promise<StreamEvent[]> {
  const stream = await client.beta.sessions.events.stream(id, {
    event_deltas: ['agent.message', 'agent.thinking'],
  });
  await client.beta.sessions.events.send(id, { events }, { headers });
  const seen: StreamEvent[] = [];
  for await (const event of stream) {
    seen.push(event);
    if (event.type === 'session.status_idle') break;
  }
  return seen;
}

/** How often each of the last requests of a session's conversation has a text. */
function occurrences(text: string): number {
  return (proxy.bodies.at(-1) ?? '').split(text).length - 1;
}

test('a turn of Claude Code is shown as the SDK types it, previews included', async () => {
  const client = officialClient(server.url);
  const id = await newSession(client);
  const seen = await run(client, id, [message('Hello there')]);
  const types = seen.map(({ type }) => type);
  expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
    'user.message',
    'session.status_running',
    'span.model_request_start',
    'event_start',
    'event_delta',
    'agent.message',
    'span.model_request_end',
    'session.status_idle',
  ]);
  const start = seen.find((event) => event.type === 'event_start');
  const kept = seen.find((event) => event.type === 'agent.message');
  expect(start?.event).toEqual({ type: 'agent.message', id: kept?.id });
  const grown = seen
    .flatMap((event) => (event.type === 'event_delta' ? [event.delta.content.text] : []))
    .join('');
  expect(kept?.content).toEqual([{ type: 'text', text: grown }]);
});

test('what the operator adds is there for the model, once, in this turn, the next and after a restart', async () => {
  const client = officialClient(server.url);
  const id = await newSession(client);
  const words = `Answer in ${randomUUID()}.`;
  const system = {
    type: 'system.message' as const,
    content: [{ type: 'text' as const, text: words }],
  };
  await run(client, id, [message('one'), system]);
  expect(occurrences(words)).toBe(1);
  await run(client, id, [message('two')]);
  expect(occurrences(words)).toBe(1);
  await server.restart();
  const seen = await run(officialClient(server.url), id, [message('three')]);
  expect(occurrences(words)).toBe(1);
  expect(seen.find(({ type }) => type === 'agent.message')).toMatchObject({
    content: [{ text: expect.stringContaining('three') }],
  });
});

test('a request under a key is done once, also across a server that was killed', async () => {
  const client = officialClient(server.url);
  const id = await newSession(client);
  const headers = { 'Idempotency-Key': randomUUID() };
  await run(client, id, [message('only once')], headers);
  await server.kill('SIGKILL');
  await server.restart();
  const again = officialClient(server.url);
  const { data } = await again.beta.sessions.events.send(
    id,
    { events: [message('only once')] },
    { headers },
  );
  await run(again, id, [message('next')]);
  const events = await again.beta.sessions.events.list(id, { types: ['user.message'] });
  expect(events.data.map((event) => event.id)[0]).toBe(data?.[0]?.id);
  expect(events.data).toHaveLength(2);
});
