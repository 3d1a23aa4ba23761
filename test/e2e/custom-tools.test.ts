import type Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import type {
  BetaManagedAgentsSessionEvent as SessionEvent,
  EventSendParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { expect, onTestFinished, test, vi } from 'vitest';

import { startMcpServer } from '../support/mcp-server.ts';
import { officialClient } from '../support/official-client.ts';
import { ServerFixture } from '../support/server-fixture.ts';

const WEATHER = {
  type: 'custom' as const,
  name: 'get_weather',
  description: 'The weather of a city.',
  input_schema: {
    type: 'object' as const,
    properties: { city: { type: 'string' as const } },
    required: ['city'],
  },
};

/** Two calls in one message; the simulator then says what came of them. */
const ASK = ['Oslo', 'Rome']
  .map((city) => `[[tool mcp__client__get_weather ${JSON.stringify({ city })}]]`)
  .join(' ');

async function server(env: Record<string, string> = {}): Promise<ServerFixture> {
  const fixture = await ServerFixture.start({ env: { ROUNDHOUSE_POOL_SPARES_MAX: '0', ...env } });
  onTestFinished(() => fixture.end());
  return fixture;
}

async function prompted({ beta }: Anthropic, text: string, more: object = {}): Promise<string> {
  const agent = await beta.agents.create({
    name: 'Forecaster',
    model: 'claude-opus-5-5',
    tools: [WEATHER],
    ...more,
  });
  const environment = await beta.environments.create({ name: 'here' });
  const { id } = await beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
    initial_events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
  return id;
}

async function allEvents({ beta }: Anthropic, id: string): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const event of beta.sessions.events.list(id, { limit: 1_000 })) events.push(event);
  return events;
}

/** The events of a session when its last one says that it is idle for this reason. */
function untilIdle(client: Anthropic, id: string, reason: string): Promise<SessionEvent[]> {
  return vi.waitFor(
    async () => {
      const events = await allEvents(client, id);
      expect(events.at(-1)).toMatchObject({
        type: 'session.status_idle',
        stop_reason: { type: reason },
      });
      return events;
    },
    { timeout: 30_000, interval: 100 },
  );
}

function calls(events: readonly SessionEvent[]) {
  return events.flatMap((event) => (event.type === 'agent.custom_tool_use' ? [event] : []));
}

function result(custom_tool_use_id: string, text: string): EventSendParams['events'][number] {
  return {
    type: 'user.custom_tool_result',
    custom_tool_use_id,
    content: [{ type: 'text', text }],
  };
}

/** What the model has said last: the simulator repeats the results that it was given. */
function said(events: readonly SessionEvent[]): string {
  const messages = events.filter((event) => event.type === 'agent.message');
  return JSON.stringify(messages.at(-1));
}

test("the tool runner of the official client runs a session's custom tool, two calls at once", async () => {
  const fixture = await server();
  const client = officialClient(fixture.url);
  const id = await prompted(client, ASK);
  const tool = betaTool({
    name: WEATHER.name,
    description: WEATHER.description,
    inputSchema: WEATHER.input_schema,
    run: ({ city }) => `21 degrees in ${String(city)}`,
  });
  const posted: boolean[] = [];
  const runner = client.beta.sessions.events.toolRunner(id, { tools: [tool], maxIdleMs: 300 });
  for await (const call of runner) posted.push(call.posted);
  expect(posted).toEqual([true, true]);
  const events = await untilIdle(client, id, 'end_turn');
  expect(calls(events).map(({ input }) => input['city'])).toEqual(['Oslo', 'Rome']);
  expect(said(events)).toContain('21 degrees in Oslo');
  expect(said(events)).toContain('21 degrees in Rome');
});

test('results reach the model after kill -9 of the server, the one before it and the one after it', async () => {
  const fixture = await server();
  const first = officialClient(fixture.url);
  const id = await prompted(first, ASK);
  const before = await untilIdle(first, id, 'requires_action');
  const [oslo = '', rome = ''] = calls(before).map((call) => call.id);
  await first.beta.sessions.events.send(id, { events: [result(rome, 'hot in Rome')] });

  await fixture.kill('SIGKILL');
  await fixture.restart();
  const client = officialClient(fixture.url);
  expect(await untilIdle(client, id, 'requires_action').then((all) => all.at(-1))).toMatchObject({
    stop_reason: { event_ids: [oslo] },
  });
  await client.beta.sessions.events.send(id, { events: [result(oslo, 'cold in Oslo')] });
  const events = await untilIdle(client, id, 'end_turn');
  expect(said(events)).toContain('cold in Oslo');
  expect(said(events)).toContain('hot in Rome');
  // Nobody was asked twice.
  expect(calls(events).map((call) => call.id)).toEqual([oslo, rome]);
});

test('an MCP server by URL is used where the operator allows its host, and asked about by its policy', async () => {
  const mcp = await startMcpServer(['look', 'change']);
  onTestFinished(() => mcp.close());
  const fixture = await server({ ROUNDHOUSE_AGENT_MCP_HOSTS: new URL(mcp.url).host });
  const client = officialClient(fixture.url);
  const id = await prompted(client, '[[tool mcp__store__look {}]] [[tool mcp__store__change {}]]', {
    tools: [
      {
        type: 'mcp_toolset',
        mcp_server_name: 'store',
        configs: [{ name: 'look', permission_policy: { type: 'always_allow' } }],
      },
    ],
    mcp_servers: [{ type: 'url', name: 'store', url: mcp.url }],
  });
  const waiting = await untilIdle(client, id, 'requires_action');
  const uses = waiting.flatMap((event) => (event.type === 'agent.mcp_tool_use' ? [event] : []));
  expect(uses).toMatchObject([
    { mcp_server_name: 'store', name: 'look', evaluated_permission: 'allow' },
    { mcp_server_name: 'store', name: 'change', evaluated_permission: 'ask' },
  ]);
  expect(mcp.calls).toEqual(['look']);
  const tool_use_id = uses[1]?.id ?? '';
  await client.beta.sessions.events.send(id, {
    events: [{ type: 'user.tool_confirmation', tool_use_id, result: 'allow' }],
  });
  const events = await untilIdle(client, id, 'end_turn');
  expect(mcp.calls).toEqual(['look', 'change']);
  expect(said(events)).toContain('answer of change');
  const elsewhere = prompted(client, 'x', {
    tools: [{ type: 'mcp_toolset', mcp_server_name: 'other' }],
    mcp_servers: [{ type: 'url', name: 'other', url: 'http://127.0.0.1:9/mcp' }],
  });
  await expect(elsewhere).rejects.toMatchObject({ status: 400, errorCode: 'unsupported_field' });
});
