import type Anthropic from '@anthropic-ai/sdk';
import { BadRequestError } from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import type {
  BetaManagedAgentsSessionEvent as SessionEvent,
  BetaManagedAgentsUserCustomToolResultEventParams as ResultParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { expect, test, vi } from 'vitest';
import type { Script } from '../../src/agent/scripted/script.ts';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';

const LOOK_UP = {
  type: 'custom' as const,
  name: 'look_up',
  description: 'Looks a key up.',
  input_schema: {
    type: 'object' as const,
    properties: { key: { type: 'string' as const } },
    required: ['key'],
  },
};

/** Looks up the words of a prompt, all in one message. */
const script: Script = ({ text }) => ({
  steps: [
    {
      asks: text.split(' ').map((key) => ({ tool: 'mcp__client__look_up', input: { key } })),
    },
    { text: ['done'] },
  ],
});

async function start(): Promise<CatalogServer & { readonly id: string }> {
  const server = await catalogServer({ pool: { driver: { script } } });
  const { beta } = server.alice;
  const agent = await beta.agents.create({ name: 'A', model: 'sonnet', tools: [LOOK_UP] });
  const environment = await beta.environments.create({ name: 'E' });
  const session = await beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  return { ...server, id: session.id };
}

async function send({ beta }: Anthropic, id: string, text: string): Promise<void> {
  const content = [{ type: 'text' as const, text }];
  await beta.sessions.events.send(id, { events: [{ type: 'user.message', content }] });
}

async function allEvents({ beta }: Anthropic, id: string): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const event of beta.sessions.events.list(id, { limit: 1_000 })) events.push(event);
  return events;
}

/** The ids of the calls that the session waits for, once it does. */
function awaited(client: Anthropic, id: string): Promise<string[]> {
  return vi.waitFor(async () => {
    const last = (await allEvents(client, id)).at(-1);
    const reason = last?.type === 'session.status_idle' ? last.stop_reason : undefined;
    if (reason?.type !== 'requires_action') throw new Error('It does not wait yet.');
    return reason.event_ids;
  });
}

function ended(client: Anthropic, id: string): Promise<SessionEvent[]> {
  return vi.waitFor(async () => {
    const events = await allEvents(client, id);
    expect(events.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    return events;
  });
}

function result(custom_tool_use_id: string, more: Partial<ResultParams> = {}): ResultParams {
  const content = [{ type: 'text' as const, text: `found ${custom_tool_use_id}` }];
  return { type: 'user.custom_tool_result', custom_tool_use_id, content, ...more };
}

test('calls of a custom tool are told, and each takes the result that the client sends', async () => {
  const { alice, id, fixture } = await start();
  await send(alice, id, 'a b');
  const [a = '', b = ''] = await awaited(alice, id);
  const { events } = alice.beta.sessions;
  const image = { type: 'base64' as const, media_type: 'image/png', data: 'aGk=' };
  const { data } = await events.send(id, {
    events: [result(b, { is_error: true, content: [{ type: 'image', source: image }] })],
  });
  expect(data).toEqual([
    {
      id: expect.stringMatching(/^sevt_/),
      type: 'user.custom_tool_result',
      custom_tool_use_id: b,
      content: [{ type: 'image', source: image }],
      is_error: true,
      processed_at: expect.any(String),
    },
  ]);
  expect(await awaited(alice, id)).toEqual([a]);
  await events.send(id, { events: [result(a)] });
  const all = await ended(alice, id);
  expect(all.filter(({ type }) => type === 'agent.custom_tool_use')).toMatchObject([
    { id: a, name: 'look_up', input: { key: 'a' } },
    { id: b, name: 'look_up', input: { key: 'b' } },
  ]);
  expect(all.filter(({ type }) => type === 'agent.tool_result')).toEqual([]);
  expect(fixture.driver.processes.flatMap(({ clientResults }) => clientResults)).toEqual([
    { content: [{ type: 'text', text: `found ${a}` }], isError: false },
    { content: [{ type: 'image', source: image }], isError: true },
  ]);
});

test("the official client's tool runner runs them", async () => {
  const { alice, id } = await start();
  const run = vi.fn<(key: string) => string>((key) => `the value of ${key}`);
  const tool = betaTool({
    name: LOOK_UP.name,
    description: LOOK_UP.description,
    inputSchema: LOOK_UP.input_schema,
    run: (input) => run(String(input['key'])),
  });
  await send(alice, id, 'a b c');
  const calls: string[] = [];
  const options = { tools: [tool], maxIdleMs: 200 };
  for await (const call of alice.beta.sessions.events.toolRunner(id, options)) {
    expect(call).toMatchObject({ name: 'look_up', isError: false, posted: true });
    calls.push(call.name);
  }
  expect(calls).toHaveLength(3);
  expect(run.mock.calls.map(([key]) => key).toSorted()).toEqual(['a', 'b', 'c']);
  const results = (await ended(alice, id)).flatMap((event) =>
    event.type === 'user.custom_tool_result' ? (event.content ?? []) : [],
  );
  expect(results.map((block) => ('text' in block ? block.text : block.type)).toSorted()).toEqual([
    'the value of a',
    'the value of b',
    'the value of c',
  ]);
});

test('a result of what is not awaited, of another key, or a second one changes nothing', async () => {
  const { alice, bob, id } = await start();
  await send(alice, id, 'a b');
  const [a = '', b = ''] = await awaited(alice, id);
  const { events } = alice.beta.sessions;
  await events.send(id, { events: [result(a)] });
  const before = await allEvents(alice, id);
  for (const wrong of [
    [result(a)],
    [result('sevt_none')],
    [result(b), result(b)],
    [{ type: 'user.tool_confirmation' as const, tool_use_id: b, result: 'allow' as const }],
  ]) {
    const error = await failure(events.send(id, { events: wrong }), BadRequestError);
    expect(error).toMatchObject({ errorCode: 'invalid_request' });
  }
  await expect(bob.beta.sessions.events.send(id, { events: [result(b)] })).rejects.toMatchObject({
    status: 404,
  });
  expect(await allEvents(alice, id)).toEqual(before);
  await events.send(id, { events: [result(b)] });
  await ended(alice, id);
});

test('what could not reach the model is refused by name, and the call waits on', async () => {
  const { alice, id } = await start();
  await send(alice, id, 'a');
  const [a = ''] = await awaited(alice, id);
  const url = 'https://x.example/a';
  const pdf = { type: 'base64' as const, media_type: 'application/pdf' as const, data: 'aGk=' };
  const blocks: NonNullable<ResultParams['content']> = [
    { type: 'image', source: { type: 'url', url } },
    { type: 'image', source: { type: 'file', file_id: 'file_1' } },
    { type: 'document', source: pdf },
    { type: 'search_result', source: url, title: 't', content: [], citations: { enabled: false } },
  ];
  for (const block of blocks) {
    const sent = alice.beta.sessions.events.send(id, { events: [result(a, { content: [block] })] });
    const error = await failure(sent, BadRequestError);
    expect(error).toMatchObject({
      errorCode: 'unsupported_field',
      message: expect.stringContaining('events.0.content.0'),
    });
  }
  expect(await awaited(alice, id)).toEqual([a]);
});
