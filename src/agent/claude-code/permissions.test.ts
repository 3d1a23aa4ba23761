import type { HookInput } from '@anthropic-ai/claude-agent-sdk';
import { expect, test } from 'vitest';

import type { AgentOptions, TakeUp } from '../../contracts/agent-driver.ts';
import { toolKinds } from '../../contracts/tool-names.ts';
import { NO_TELEMETRY } from '../../telemetry/telemetry.ts';
import { permissions } from './permissions.ts';
import { TurnRun } from './turn-run.ts';

const { signal } = new AbortController();

function ask(options: AgentOptions, parts: { takeUp?: TakeUp; idle?: boolean } = {}) {
  const run = new TurnRun('p', (text) => text, { answers: 'client', options });
  if (parts.idle !== true) run.turn.accept();
  const { preToolUse, canUseTool } = permissions({
    sessionId: 'sesn_1',
    options,
    takeUp: parts.takeUp,
    answerer: {
      decide: () => Promise.reject(new Error('nobody is to be asked')),
      callTool: () => Promise.resolve({ content: [], isError: true }),
    },
    kindOf: toolKinds(options),
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
