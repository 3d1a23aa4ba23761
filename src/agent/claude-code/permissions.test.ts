import type { HookInput } from '@anthropic-ai/claude-agent-sdk';
import { expect, test } from 'vitest';

import type { AgentOptions, TakeUp } from '../../contracts/agent-driver.ts';
import { toolKinds } from '../../contracts/tool-names.ts';
import { NO_TELEMETRY } from '../../telemetry/telemetry.ts';
import { permissions } from './permissions.ts';
import { TurnRun } from './turn-run.ts';

const { signal } = new AbortController();

interface Parts {
  readonly takeUp?: TakeUp;
  readonly idle?: boolean;
  readonly answers?: 'client' | 'nobody';
  readonly problem?: string;
}

function ask(options: AgentOptions, parts: Parts = {}) {
  const { answers = 'client' } = parts;
  const tools = { kindOf: toolKinds(options), problemOf: () => parts.problem };
  const run = new TurnRun('p', (text) => text, { answers, options, tools });
  if (parts.idle !== true) run.turn.accept();
  const { preToolUse, canUseTool } = permissions({
    sessionId: 'sesn_1',
    options,
    takeUp: parts.takeUp,
    answerer: {
      decide: () => Promise.reject(new Error('nobody is to be asked')),
      callTool: () => Promise.resolve({ content: [], isError: true }),
    },
    tools,
    currentRun: () => run,
    log: NO_TELEMETRY.log,
  });
  const hook = (name: string, id: string, agentId?: string) => {
    const input: HookInput = {
      hook_event_name: 'PreToolUse',
      session_id: 's',
      transcript_path: '',
      cwd: '/',
      tool_name: name,
      tool_input: {},
      tool_use_id: id,
      ...(agentId !== undefined && { agent_id: agentId }),
    };
    return preToolUse(input, id, { signal });
  };
  const can = (name: string, id: string) =>
    canUseTool(name, {}, { signal, toolUseID: id, requestId: id });
  return { run, hook, can };
}

const denied = (reason: string) => ({
  hookSpecificOutput: {
    permissionDecision: 'deny',
    permissionDecisionReason: expect.stringContaining(reason),
  },
});

test('a call that the options do not name is left to the agent; one that they name waits, and is then not asked about twice', async () => {
  const { run, hook, can } = ask({ askFirst: ['Write'] });
  expect(await hook('Read', 'r')).toEqual({});
  run.held.finish('r');
  const held = hook('Write', 'w');
  expect(run.held.waiting).toBe(true);
  run.answer('w', { behavior: 'allow' });
  expect(await held).toMatchObject({ hookSpecificOutput: { permissionDecision: 'allow' } });
  expect(await can('Write', 'w')).toMatchObject({ behavior: 'allow' });
});

test('what can’t wait is denied by name: a subagent’s call, a question to a terminal, a call outside of a turn', async () => {
  const { hook, can } = ask({ askFirst: ['Write'] });
  expect(await hook('Write', 'a', 'agent-1')).toMatchObject(denied('a subagent can'));
  expect(await can('ExitPlanMode', 'b')).toMatchObject({
    behavior: 'deny',
    message: expect.stringContaining('ExitPlanMode needs a person at a terminal'),
  });
  const idle = ask({ askFirst: ['Write'] }, { idle: true });
  expect(await idle.hook('Write', 'c')).toMatchObject(denied('No turn is running'));
});

test('a call that is held when its turn ends is denied', async () => {
  const { run, hook } = ask({ askFirst: ['Write'] });
  const held = hook('Write', 'w');
  run.fail('agent_died', 'gone', false);
  expect(await held).toMatchObject(denied('The turn ended'));
});

test('a call that is taken up has the answer that it was started with, also where the agent itself would not ask', async () => {
  const takeUp: TakeUp = {
    call: { toolUseId: 't', toolName: 'Bash', input: {} },
    eventId: 'e',
    decision: { behavior: 'deny', message: 'no' },
    neverHanded: ['t'],
    last: true,
  };
  const { hook } = ask({}, { takeUp });
  expect(await hook('Bash', 't')).toMatchObject(denied('no'));
  expect(await hook('Bash', 'another')).toEqual({});
});

const CLIENT = {
  clientTools: [{ name: 'look_up', description: '', inputSchema: { type: 'object' } }],
};
const LOOK_UP = 'mcp__client__look_up';

test("a call of the client's tool waits for its result, and is then made without another question", async () => {
  const { run, hook, can } = ask(CLIENT);
  const held = hook(LOOK_UP, 'c');
  expect(run.held.waiting).toBe(true);
  const result = { content: [], isError: false };
  run.answer('c', { behavior: 'result', result });
  expect(await held).toMatchObject({ hookSpecificOutput: { permissionDecision: 'allow' } });
  expect(await can(LOOK_UP, 'c')).toMatchObject({ behavior: 'allow' });
  expect(run.held.answerTo('c')).toEqual({ behavior: 'result', result });
});

test.each([
  ['with a wrong input', { problem: 'no such key' }],
  ['that no client answers', { answers: 'nobody' }],
] as const)(
  "a call of the client's tool %s is made at once, and answered there",
  async (_, parts) => {
    const { run, hook, can } = ask(CLIENT, parts);
    expect(await hook(LOOK_UP, 'c')).toEqual({});
    expect(await can(LOOK_UP, 'c')).toMatchObject({ behavior: 'allow' });
    expect(run.held.waiting).toBe(false);
  },
);

test("tools of an MCP server are allowed, asked about or not there, as the server's policies say", async () => {
  const server = {
    name: 's',
    url: 'https://s.example',
    defaultPolicy: 'disabled',
    tools: [
      { name: 'look', policy: 'allow' },
      { name: 'change', policy: 'ask' },
    ],
  } as const;
  const { run, hook, can } = ask({ mcpServers: [server] });
  expect(await hook('mcp__s__look', 'l')).toEqual({});
  expect(await can('mcp__s__look', 'l')).toMatchObject({ behavior: 'allow' });
  expect(await can('mcp__s__new', 'n')).toMatchObject({
    behavior: 'deny',
    message: expect.stringContaining('not enabled'),
  });
  run.held.finish('l');
  const held = hook('mcp__s__change', 'c');
  expect(run.held.waiting).toBe(true);
  run.answer('c', { behavior: 'deny', message: 'Not today.' });
  expect(await held).toMatchObject(denied('Not today.'));
});
