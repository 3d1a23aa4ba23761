import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createClaudeCodeDriver } from '../../src/agent/claude-code/driver.ts';
import type {
  AgentDriver,
  AgentOptions,
  AgentOutput,
  AgentProcess,
  AgentSpec,
  McpServer,
  McpToolPolicy,
} from '../../src/contracts/agent-driver.ts';
import type { Answerer, CallAnswer, ClientToolResult } from '../../src/contracts/answerer.ts';
import type { Host } from '../../src/contracts/host.ts';
import type { OpenedTools, ToolEndpoint } from '../../src/contracts/tool-endpoint.ts';
import { newClientId, newSessionId } from '../../src/events/ids.ts';
import type { SessionEvent } from '../../src/events/record.ts';
import { createHost } from '../../src/host/create-host.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { MemoryTranscriptStore } from '../../src/store/memory/memory-transcript-store.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { McpToolEndpoint } from '../../src/tool-endpoint/mcp-tool-endpoint.ts';
import { prompt, read } from '../conformance/agent-driver/run-turn.ts';
import { startMcpServer, type McpTestServer } from '../support/mcp-server.ts';
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts';

const WEATHER = {
  name: 'get_weather',
  description: 'The weather of a city.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** Nobody in particular: the turns of these tests have a client that answers. */
const NOBODY: Answerer = {
  decide: () => Promise.resolve({ behavior: 'deny', message: 'Nobody is asked.' }),
  callTool: () => Promise.resolve({ content: [], isError: true }),
};

const closers: (() => Promise<unknown>)[] = [];
let host: Host;
let proxy: RecordingProxy;
let endpoint: ToolEndpoint;
let driver: AgentDriver;
/** What processes were given, the secret among it. */
const opened: OpenedTools[] = [];

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'roundhouse-tools-'));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  const simulator = await startSimulator();
  closers.push(() => simulator.close());
  proxy = await startRecordingProxy(simulator.url);
  closers.push(() => proxy.close());
  host = await createHost({ dataDir, telemetry: NO_TELEMETRY });
  const real = new McpToolEndpoint(NO_TELEMETRY);
  closers.push(() => real.close());
  endpoint = {
    async open(...all) {
      const tools = await real.open(...all);
      opened.push(tools);
      return tools;
    },
    problemOf: (tool) => real.problemOf(tool),
    close: () => real.close(),
  };
  driver = createClaudeCodeDriver({
    host,
    credentials: { ANTHROPIC_API_KEY: 'sk-dummy-key', ANTHROPIC_BASE_URL: proxy.url },
    maxRetries: 1,
    telemetry: NO_TELEMETRY,
    toolEndpoint: endpoint,
    mcpServerProblem: (url) => (url.includes('forbidden') ? 'it is forbidden' : undefined),
  });
});

afterAll(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function specOf(options: AgentOptions): Promise<AgentSpec> {
  const clientId = newClientId();
  const sessionId = newSessionId();
  return {
    agentSessionId: randomUUID(),
    sessionId,
    resume: false,
    clientId,
    workspace: await host.createWorkspace(sessionId),
    processFolder: await host.createProcessFolder(clientId),
    options: { tools: [], ...options },
    transcripts: new MemoryTranscriptStore(() => {}),
    answerer: NOBODY,
  };
}

async function withAgent<T>(
  options: AgentOptions,
  use: (agent: AgentProcess) => Promise<T>,
): Promise<T> {
  const agent = await driver.start(await specOf(options), new AbortController().signal);
  try {
    return await use(agent);
  } finally {
    await agent.close();
  }
}

/** What a client says to each call that waits, by the event of the call. */
type Client = (call: SessionEvent) => CallAnswer | undefined;

async function run(
  agent: AgentProcess,
  text: string,
  client: Client = () => undefined,
): Promise<readonly AgentOutput[]> {
  const calls = new Map<string, SessionEvent>();
  const { outputs } = await read(
    agent.prompt({ ...prompt(text), answers: 'client' }),
    agent,
    (ids) => {
      for (const id of ids.toReversed()) {
        const call = calls.get(id);
        const answer = call && client(call);
        if (answer !== undefined) agent.answer(id, answer);
      }
    },
    (output) => {
      if (output.kind === 'event' && output.detail.toolUseId !== undefined)
        calls.set(output.detail.toolUseId, output.body);
    },
  );
  return outputs;
}

function result(content: ClientToolResult['content'], isError = false): CallAnswer {
  return { behavior: 'result', result: { content, isError } };
}

/** Events of calls and results, without what is different each time. */
function callsOf(outputs: readonly AgentOutput[]): Record<string, unknown>[] {
  return outputs.flatMap((output) => {
    if (output.kind !== 'event' || !/tool/.test(output.body.type)) return [];
    const { id: _id, processed_at: _at, ...body } = { processed_at: '', ...output.body };
    return [body];
  });
}

function endOf(outputs: readonly AgentOutput[]): string {
  const last = outputs.at(-1);
  return last?.kind === 'ended' ? last.end.reason : 'none';
}

/** The names of the tools that the model was shown with its last request. */
function shownTools(): string[] {
  const body: { tools?: { name: string }[] } = JSON.parse(proxy.bodies.at(-1) ?? '{}');
  return (body.tools ?? []).map(({ name }) => name).filter((name) => name.startsWith('mcp__'));
}

const text = (content: string) => [{ type: 'text', text: content }];

describe("a client's tool", () => {
  test('is called once, and its answer goes to the model as it is', async () => {
    const image = { type: 'base64', media_type: 'image/png', data: PIXEL };
    const outputs = await withAgent({ clientTools: [WEATHER] }, (agent) =>
      run(agent, '[[tool mcp__client__get_weather {"city":"Oslo"}]]', () =>
        result([...text('sunny, 21 degrees'), { type: 'image', source: image }]),
      ),
    );
    expect(endOf(outputs)).toBe('completed');
    expect(callsOf(outputs)).toEqual([
      { type: 'agent.custom_tool_use', name: 'get_weather', input: { city: 'Oslo' } },
    ]);
    const shown = proxy.bodies.at(-1) ?? '';
    expect(shown).toContain('sunny, 21 degrees');
    expect(shown).toContain(PIXEL);
  });

  test('gives each of two calls in one message its own answer, an error as an error', async () => {
    const cities = ['Oslo', 'Rome'].map((city) => JSON.stringify({ city }));
    const outputs = await withAgent({ clientTools: [WEATHER] }, (agent) =>
      run(
        agent,
        cities.map((input) => `[[tool mcp__client__get_weather ${input}]]`).join(' '),
        (call) =>
          JSON.stringify(call).includes('Rome')
            ? result(text('hot in Rome'))
            : result(text('cold in Oslo'), true),
      ),
    );
    expect(endOf(outputs)).toBe('completed');
    expect(callsOf(outputs)).toHaveLength(2);
    const request: { messages: { content: unknown }[] } = JSON.parse(proxy.bodies.at(-1) ?? '{}');
    const results = JSON.stringify(request.messages.at(-1)?.content);
    expect(results).toContain('hot in Rome');
    expect(results).toMatch(/cold in Oslo.*"is_error":true|"is_error":true.*cold in Oslo/);
  });

  test('goes to the model whole, where other tools are cut', async () => {
    const long = 'weather '.repeat(30_000);
    await withAgent({ clientTools: [WEATHER] }, (agent) =>
      run(agent, '[[tool mcp__client__get_weather {"city":"Oslo"}]]', () => result(text(long))),
    );
    expect(proxy.bodies.at(-1)).toContain(long);
  });

  test('called with a wrong input is not shown to the client as a call: the model is told', async () => {
    const outputs = await withAgent({ clientTools: [WEATHER] }, (agent) =>
      run(agent, '[[tool mcp__client__get_weather {"city":5}]]'),
    );
    expect(endOf(outputs)).toBe('completed');
    expect(callsOf(outputs)).toMatchObject([
      { type: 'agent.tool_use', name: 'get_weather', evaluated_permission: 'deny' },
      { type: 'agent.tool_result', is_error: true },
    ]);
    expect(outputs.map(({ kind }) => kind)).not.toContain('answers_awaited');
    expect(proxy.bodies.at(-1)).toContain('data/city must be string');
  });

  test('comes with a secret that neither a command line nor a file nor a variable shows, and that ends with the process', async () => {
    const spec = await specOf({ clientTools: [WEATHER] });
    const agent = await driver.start(spec, new AbortController().signal);
    const tools = opened.at(-1);
    const token = tools?.token ?? 'none';
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    const list = { method: 'POST', headers, body };
    expect((await fetch(tools?.url ?? '', list)).status).toBe(200);
    for (const file of ['cmdline', 'environ'])
      expect(await readFile(`/proc/${agent.pid}/${file}`, 'utf8')).not.toContain(token);
    await run(agent, 'hello');
    const files = await readdir(spec.processFolder, { recursive: true, withFileTypes: true });
    for (const entry of files.filter((found) => found.isFile()))
      expect(await readFile(join(entry.parentPath, entry.name), 'utf8')).not.toContain(token);
    await agent.close();
    expect((await fetch(tools?.url ?? '', list)).status).toBe(401);
  });

  test('is there for a process that was prepared without its folder', async () => {
    const { workspace, ...spec } = await specOf({ clientTools: [WEATHER] });
    const agent = await driver.start(spec, new AbortController().signal);
    await agent.bind({ workspace: workspace ?? '' }, new AbortController().signal);
    const outputs = await run(agent, '[[tool mcp__client__get_weather {"city":"Oslo"}]]', () =>
      result(text('sunny')),
    );
    expect(endOf(outputs)).toBe('completed');
    expect(callsOf(outputs)).toMatchObject([{ type: 'agent.custom_tool_use' }]);
    await agent.close();
  });
});

function rule(name: string, policy: McpToolPolicy): McpServer['tools'][number] {
  return { name, policy };
}

describe('an MCP server by URL', () => {
  let server: McpTestServer;
  beforeAll(async () => {
    server = await startMcpServer(['look', 'ask', 'hide', 'more.tools']);
    closers.push(() => server.close());
  });

  test('has what is enabled, runs what is allowed, and asks for the rest', async () => {
    const mcpServers = [
      {
        name: 'Look & Feel',
        url: server.url,
        defaultPolicy: 'ask' as const,
        tools: [rule('look', 'allow'), rule('hide', 'disabled')],
      },
    ];
    const asked: SessionEvent[] = [];
    const outputs = await withAgent({ mcpServers }, (agent) =>
      run(
        agent,
        '[[tool mcp__Look_Feel__look {}]] [[tool mcp__Look_Feel__ask {}]] [[tool mcp__Look_Feel__hide {}]]',
        (call) => {
          asked.push(call);
          return { behavior: 'deny', message: 'Not today.' };
        },
      ),
    );
    expect(shownTools()).toEqual([
      'mcp__Look_Feel__ask',
      'mcp__Look_Feel__look',
      'mcp__Look_Feel__more_tools',
    ]);
    expect(server.calls).toEqual(['look']);
    expect(asked).toMatchObject([{ type: 'agent.mcp_tool_use', name: 'ask' }]);
    const its = { mcp_server_name: 'Look & Feel' };
    const uses = callsOf(outputs).filter(({ type }) => type === 'agent.mcp_tool_use');
    expect(uses).toMatchObject([
      {
        ...its,
        name: 'look',
        evaluated_permission: 'allow',
        evaluation: { type: 'always_allow' },
      },
      { ...its, name: 'ask', evaluated_permission: 'ask', evaluation: { type: 'always_ask' } },
      { ...its, name: 'hide', evaluated_permission: 'deny' },
    ]);
    const results = callsOf(outputs).filter(({ type }) => type === 'agent.mcp_tool_result');
    expect(results.map((given) => given['is_error'])).toEqual([false, true, true]);
    expect(JSON.stringify(results[0])).toContain('answer of look');
    expect(JSON.stringify(results[1])).toContain('Not today.');
  });

  test('has nothing but what is enabled by name where the rest is off', async () => {
    const mcpServers = [
      {
        name: 'workspace',
        url: server.url,
        defaultPolicy: 'disabled' as const,
        tools: [rule('more.tools', 'allow')],
      },
      { name: 'off', url: server.url, defaultPolicy: 'disabled' as const, tools: [] },
    ];
    const before = server.calls.length;
    const outputs = await withAgent({ mcpServers }, (agent) =>
      run(agent, '[[tool mcp__workspace-2__more_tools {}]] [[tool mcp__workspace-2__look {}]]'),
    );
    expect(shownTools()).toEqual(['mcp__workspace-2__more_tools']);
    expect(server.calls.slice(before)).toEqual(['more.tools']);
    expect(callsOf(outputs)[0]).toMatchObject({ mcp_server_name: 'workspace', name: 'more.tools' });
  });

  test('that is not allowed by now stops the start, by name', async () => {
    const url = 'https://forbidden.example/mcp';
    const mcpServers = [{ name: 'x', url, defaultPolicy: 'allow' as const, tools: [] }];
    const spec = await specOf({ mcpServers });
    await expect(driver.start(spec, new AbortController().signal)).rejects.toMatchObject({
      code: 'unsupported_field',
      message: expect.stringContaining('it is forbidden'),
    });
  });

  test('that can not be reached does not keep the agent from its work', async () => {
    const gone = await startMcpServer([]);
    await gone.close();
    const mcpServers = [
      { name: 'gone', url: gone.url, defaultPolicy: 'allow' as const, tools: [] },
    ];
    const outputs = await withAgent({ mcpServers }, (agent) => run(agent, 'hi'));
    expect(endOf(outputs)).toBe('completed');
  });
});

test('the effort reaches the model', async () => {
  await withAgent({ effort: 'low', model: 'claude-opus-5-5' }, (agent) => run(agent, 'hello'));
  const body: { output_config?: { effort?: string } } = JSON.parse(proxy.bodies.at(-1) ?? '{}');
  expect(body.output_config?.effort).toBe('low');
});
