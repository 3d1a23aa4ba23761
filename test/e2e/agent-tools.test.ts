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
import type {
  Answerer,
  ClientToolCall,
  ClientToolResult,
  PermissionRequest,
} from '../../src/contracts/answerer.ts';
import type { Host } from '../../src/contracts/host.ts';
import type { OpenedTools, ToolEndpoint } from '../../src/contracts/tool-endpoint.ts';
import { newClientId, newSessionId } from '../../src/events/ids.ts';
import { createHost } from '../../src/host/create-host.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { MemoryTranscriptStore } from '../../src/store/memory/memory-transcript-store.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { unlessAborted } from '../../src/time/deadline.ts';
import { McpToolEndpoint } from '../../src/tool-endpoint/mcp-tool-endpoint.ts';
import { startMcpServer, type McpTestServer } from '../support/mcp-server.ts';
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts';

const WEATHER = {
  name: 'get_weather',
  description: 'The weather of a city.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** A client that answers what it is told to, when it is told to. */
class TestClient implements Answerer {
  readonly calls: ClientToolCall[] = [];
  readonly asked: PermissionRequest[] = [];
  readonly #answers = new Map<string, (result: ClientToolResult) => void>();
  readonly #waiters: (() => void)[] = [];

  decide(request: PermissionRequest) {
    this.asked.push(request);
    return Promise.resolve({ behavior: 'deny' as const, message: 'Not today.' });
  }

  callTool(call: ClientToolCall, signal: AbortSignal): Promise<ClientToolResult> {
    this.calls.push(call);
    for (const wake of this.#waiters.splice(0)) wake();
    const { promise, resolve } = Promise.withResolvers<ClientToolResult>();
    this.#answers.set(call.toolUseId, resolve);
    return unlessAborted(promise, signal);
  }

  async untilCalled(times: number): Promise<void> {
    while (this.calls.length < times)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  answer(index: number, content: ClientToolResult['content'], isError = false): void {
    this.#answers.get(this.calls[index]?.toolUseId ?? '')?.({ content, isError });
  }
}

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

async function specOf(options: AgentOptions, answerer: Answerer): Promise<AgentSpec> {
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
    answerer,
  };
}

async function withAgent<T>(
  options: AgentOptions,
  answerer: Answerer,
  use: (agent: AgentProcess) => Promise<T>,
): Promise<T> {
  const agent = await driver.start(await specOf(options, answerer), new AbortController().signal);
  try {
    return await use(agent);
  } finally {
    await agent.close();
  }
}

async function run(agent: AgentProcess, text: string): Promise<AgentOutput[]> {
  const outputs: AgentOutput[] = [];
  const content = [{ type: 'text' as const, text }];
  for await (const batch of agent.prompt({ promptId: randomUUID(), content }))
    outputs.push(...batch);
  return outputs;
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
  test('is called once, waited for, and its answer goes to the model as it is', async () => {
    const client = new TestClient();
    const outputs = await withAgent({ clientTools: [WEATHER] }, client, async (agent) => {
      const turn = run(agent, '[[tool mcp__client__get_weather {"city":"Oslo"}]]');
      await client.untilCalled(1);
      const image = { type: 'base64', media_type: 'image/png', data: PIXEL };
      client.answer(0, [...text('sunny, 21 degrees'), { type: 'image', source: image }]);
      return turn;
    });
    expect(endOf(outputs)).toBe('completed');
    expect(client.calls).toMatchObject([
      { toolName: 'get_weather', input: { city: 'Oslo' }, toolUseId: expect.any(String) },
    ]);
    // The result is the client's own event; none of the agent's stands for it.
    expect(callsOf(outputs)).toEqual([
      { type: 'agent.custom_tool_use', name: 'get_weather', input: { city: 'Oslo' } },
    ]);
    const use = outputs.find(
      (output) => output.kind === 'event' && output.body.type === 'agent.custom_tool_use',
    );
    expect(use).toMatchObject({ detail: { toolUseId: client.calls[0]?.toolUseId } });
    const waits = outputs.filter(({ kind }) => kind.startsWith('answer_'));
    expect(waits.map(({ kind }) => kind)).toEqual(['answer_awaited', 'answer_given']);
    const shown = proxy.bodies.at(-1) ?? '';
    expect(shown).toContain('sunny, 21 degrees');
    expect(shown).toContain(PIXEL);
  });

  test('called twice in one message is held twice at once, and each has its own answer', async () => {
    const client = new TestClient();
    const outputs = await withAgent({ clientTools: [WEATHER] }, client, async (agent) => {
      const turn = run(
        agent,
        '[[tool mcp__client__get_weather {"city":"Oslo"}]] [[tool mcp__client__get_weather {"city":"Rome"}]]',
      );
      await client.untilCalled(2);
      const of = (city: string): number =>
        client.calls.findIndex(({ input }) => input['city'] === city);
      client.answer(of('Rome'), text('hot in Rome'));
      client.answer(of('Oslo'), text('cold in Oslo'), true);
      return turn;
    });
    expect(endOf(outputs)).toBe('completed');
    expect(callsOf(outputs)).toHaveLength(2);
    const messages: { messages: { content: unknown }[] } = JSON.parse(proxy.bodies.at(-1) ?? '{}');
    const results = JSON.stringify(messages.messages.at(-1)?.content);
    expect(results).toContain('hot in Rome');
    expect(results).toMatch(/cold in Oslo.*"is_error":true|"is_error":true.*cold in Oslo/);
  });

  test('called with a wrong input is not shown to the client as a call: the model is told', async () => {
    const client = new TestClient();
    const outputs = await withAgent({ clientTools: [WEATHER] }, client, (agent) =>
      run(agent, '[[tool mcp__client__get_weather {"city":5}]]'),
    );
    expect(client.calls).toEqual([]);
    expect(callsOf(outputs)).toMatchObject([
      { type: 'agent.tool_use', name: 'get_weather', evaluated_permission: 'deny' },
      { type: 'agent.tool_result', is_error: true },
    ]);
    expect(proxy.bodies.at(-1)).toContain('data/city must be string');
  });

  test('that is waited for ends with an interrupt, and the next prompt works', async () => {
    const client = new TestClient();
    const [stopped, next] = await withAgent({ clientTools: [WEATHER] }, client, async (agent) => {
      const turn = run(agent, '[[tool mcp__client__get_weather {"city":"Oslo"}]]');
      await client.untilCalled(1);
      await agent.interrupt();
      return [await turn, await run(agent, 'hello')];
    });
    expect(endOf(stopped)).toBe('interrupted');
    expect(endOf(next)).toBe('completed');
  });

  test('comes with a secret that neither a command line nor a file nor a variable shows, and that ends with the process', async () => {
    const client = new TestClient();
    const spec = await specOf({ clientTools: [WEATHER] }, client);
    const agent = await driver.start(spec, new AbortController().signal);
    const tools = opened.at(-1);
    const token = tools?.token ?? 'none';
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const list = {
      method: 'POST',
      headers,
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    };
    expect((await fetch(tools?.url ?? '', list)).status).toBe(200);
    for (const file of ['cmdline', 'environ'])
      expect(await readFile(`/proc/${agent.pid}/${file}`, 'utf8')).not.toContain(token);
    await run(agent, 'hello');
    for (const entry of await readdir(spec.processFolder, {
      recursive: true,
      withFileTypes: true,
    })) {
      if (!entry.isFile()) continue;
      expect(await readFile(join(entry.parentPath, entry.name), 'utf8')).not.toContain(token);
    }
    await agent.close();
    expect((await fetch(tools?.url ?? '', list)).status).toBe(401);
  });

  test('is there for a process that was prepared without its folder', async () => {
    const client = new TestClient();
    const { workspace, ...spec } = await specOf({ clientTools: [WEATHER] }, client);
    const agent = await driver.start(spec, new AbortController().signal);
    await agent.bind({ workspace: workspace ?? '' }, new AbortController().signal);
    const turn = run(agent, '[[tool mcp__client__get_weather {"city":"Oslo"}]]');
    await client.untilCalled(1);
    client.answer(0, text('sunny'));
    expect(endOf(await turn)).toBe('completed');
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
    const client = new TestClient();
    const mcpServers = [
      {
        name: 'Look & Feel',
        url: server.url,
        defaultPolicy: 'ask' as const,
        tools: [rule('look', 'allow'), rule('hide', 'disabled')],
      },
    ];
    const outputs = await withAgent({ mcpServers }, client, (agent) =>
      run(
        agent,
        '[[tool mcp__Look_Feel__look {}]] [[tool mcp__Look_Feel__ask {}]] [[tool mcp__Look_Feel__hide {}]]',
      ),
    );
    expect(shownTools()).toEqual([
      'mcp__Look_Feel__ask',
      'mcp__Look_Feel__look',
      'mcp__Look_Feel__more_tools',
    ]);
    expect(server.calls).toEqual(['look']);
    expect(client.asked.map(({ toolName }) => toolName)).toEqual(['mcp__Look_Feel__ask']);
    const its = { mcp_itsname: 'Look & Feel' };
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
    expect(results.map((result) => result['is_error'])).toEqual([false, true, true]);
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
    const outputs = await withAgent({ mcpServers }, new TestClient(), (agent) =>
      run(agent, '[[tool mcp__workspace-2__more_tools {}]] [[tool mcp__workspace-2__look {}]]'),
    );
    expect(shownTools()).toEqual(['mcp__workspace-2__more_tools']);
    expect(server.calls.slice(before)).toEqual(['more.tools']);
    expect(callsOf(outputs)[0]).toMatchObject({ mcp_itsname: 'workspace', name: 'more.tools' });
  });

  test('that is not allowed by now stops the start, by name', async () => {
    const url = 'https://forbidden.example/mcp';
    const mcpServers = [{ name: 'x', url, defaultPolicy: 'allow' as const, tools: [] }];
    const spec = await specOf({ mcpServers }, new TestClient());
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
    const outputs = await withAgent({ mcpServers }, new TestClient(), (agent) => run(agent, 'hi'));
    expect(endOf(outputs)).toBe('completed');
  });
});

test('the effort reaches the model', async () => {
  await withAgent({ effort: 'low', model: 'claude-opus-5-5' }, new TestClient(), (agent) =>
    run(agent, 'hello'),
  );
  const body: { output_config?: { effort?: string } } = JSON.parse(proxy.bodies.at(-1) ?? '{}');
  expect(body.output_config?.effort).toBe('low');
});
