import { expect, test } from 'vitest';

import type { ClientToolCall, ClientToolResult } from '../../contracts/answerer.ts';
import { NO_TELEMETRY } from '../../telemetry/telemetry.ts';
import { clientToolCalls, type ClientToolsInput } from './client-tools.ts';
import { TurnRun } from './turn-run.ts';

const FOUND: ClientToolResult = { content: [{ type: 'text', text: 'found' }], isError: false };
const CALL = { name: 'alias', input: { key: 'a' }, toolUseId: 'c' };

function tools(
  callTool: ClientToolsInput['answerer']['callTool'],
  more: Partial<Pick<ClientToolsInput, 'takeUp'>> & { answers?: 'client' | 'nobody' } = {},
) {
  const { answers = 'nobody', ...input } = more;
  const run = new TurnRun('p', (text) => text, { answers });
  run.turn.accept();
  const handler = clientToolCalls({
    sessionId: 'sesn_1',
    nameOf: (alias) => (alias === 'alias' ? 'the real name' : alias),
    answerer: { callTool, decide: () => Promise.reject(new Error('no leave is asked for')) },
    currentRun: () => run,
    log: NO_TELEMETRY.log,
    ...input,
  });
  const gone = new AbortController();
  return { run, gone, call: () => handler(CALL, gone.signal) };
}

function nobody(): Promise<ClientToolResult> {
  return Promise.reject(new Error('nobody is to be asked'));
}

test('a call is answered with what its client has sent, and nobody else is asked', async () => {
  const { run, call } = tools(nobody, { answers: 'client' });
  run.held.expect('c');
  run.answer('c', { behavior: 'result', result: FOUND });
  expect(await call()).toEqual(FOUND);
});

test('one that a process takes up has its result before there is a turn', async () => {
  const takeUp = {
    call: { toolUseId: 'c', toolName: 'mcp__client__alias', input: {} },
    eventId: 'sevt_c',
    decision: { behavior: 'result', result: FOUND },
    neverHanded: [],
    last: true,
  } as const;
  expect(await tools(nobody, { takeUp }).call()).toEqual(FOUND);
});

test("where no client answers it goes to the answerer, under the client's own name", async () => {
  const calls: ClientToolCall[] = [];
  const { call } = tools((its) => {
    calls.push(its);
    return Promise.resolve(FOUND);
  });
  expect(await call()).toEqual(FOUND);
  expect(calls).toEqual([
    {
      sessionId: 'sesn_1',
      turnId: null,
      toolUseId: 'c',
      toolName: 'the real name',
      input: { key: 'a' },
    },
  ]);
});

test('a call that its client was not asked about, an answerer that fails and a turn that ends are failures for the model', async () => {
  expect(await tools(nobody, { answers: 'client' }).call()).toMatchObject({ isError: true });
  const failed = await tools(() => Promise.reject(new Error('secret detail'))).call();
  expect(failed.isError).toBe(true);
  expect(JSON.stringify(failed)).not.toContain('secret detail');
  const { run, call } = tools(() => new Promise<never>(() => {}));
  const held = call();
  run.fail('turn_interrupted', 'stopped', true);
  expect(await held).toMatchObject({ isError: true });
  const left = tools(() => new Promise<never>(() => {}));
  const waiting = left.call();
  left.gone.abort(new Error('the process is gone'));
  expect(await waiting).toMatchObject({ isError: true });
});
