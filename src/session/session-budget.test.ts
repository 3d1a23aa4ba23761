import { expect, test, vi } from 'vitest';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { scriptOf } from '../../test/support/scripts.ts';
import type { ScriptedTurn } from '../agent/scripted/script.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionEvent, TurnEnd } from '../events/record.ts';
import type { BudgetOf } from './session-budget.ts';

useFakeClock();

/** A request of 1 cent at the list price of the model. */
const CENT = { inputTokens: 0, outputTokens: 500 };
const MODEL = 'claude-opus-5-5';

/** Tools that run for a second each, one after the other. */
function tools(length: number, costUsd = 0): ScriptedTurn {
  const tool = { tool: 'Bash', output: 'done', runMs: 1_000 };
  return { steps: Array.from({ length }, () => tool), usage: { ...CENT, costUsd } };
}

const SCRIPT = scriptOf({
  'three tools': tools(3, 0.04),
  'a dear word': { steps: [{ text: ['well'] }], usage: { ...CENT, costUsd: 0.05 } },
  'dies in a tool': { steps: [...tools(1).steps, { die: 'killed' }], usage: CENT },
  asks: { steps: [{ ask: 'Write' }], usage: CENT },
});

/** A pool whose sessions may cost so many cents, now. */
function poolOf(limit: { readonly cents: number | undefined }): PoolFixture {
  return makePool({
    driver: { script: SCRIPT },
    budgetOf: async () => limit.cents,
  });
}

async function clientOf(fixture: PoolFixture, model = MODEL) {
  return fixture.pool.getSessionClient('a', { agent: { model } });
}

type Client = Awaited<ReturnType<typeof clientOf>>;

/** Prompts, and steps the clock until the turn has ended. */
async function run(client: Client, prompt: string): Promise<TurnEnd> {
  const handle = await client.prompt(text(prompt));
  await pass(10_000);
  return handle.ended;
}

/** Begins a turn of three tools, and changes the budget while the first of them runs. */
async function turnWithBudget(fromCents: number, toCents: number) {
  const limit = { cents: fromCents };
  const fixture = poolOf(limit);
  const client = await clientOf(fixture);
  const handle = await client.prompt(text('three tools'));
  await pass(500);
  limit.cents = toCents;
  return { fixture, handle };
}

async function eventsOf(fixture: PoolFixture): Promise<SessionEvent[]> {
  const records = await fixture.pool.readEvents('default', 'a', { after: 0, limit: 200 });
  return records.map(({ body }) => body);
}

function stopReasons(events: readonly SessionEvent[]): string[] {
  return events.flatMap((event) =>
    event.type === 'session.status_idle' ? event.stop_reason.type : [],
  );
}

function count(events: readonly SessionEvent[], type: SessionEvent['type']): number {
  return events.filter((event) => event.type === type).length;
}

const REACHED = { reason: 'failed', error: { code: 'budget_reached' } };

test('a session without a budget goes on whatever it costs', async () => {
  const fixture = poolOf({ cents: undefined });
  const client = await clientOf(fixture);
  expect(await run(client, 'a dear word')).toMatchObject({ reason: 'completed' });
  expect(await run(client, 'a dear word')).toMatchObject({ reason: 'completed' });
  expect(stopReasons(await eventsOf(fixture))).toEqual(['end_turn', 'end_turn']);
});

test('a turn whose requests have used the budget up ends where a tool begins, before it has run', async () => {
  const fixture = poolOf({ cents: 2 });
  const client = await clientOf(fixture);
  expect(await run(client, 'three tools')).toMatchObject(REACHED);
  const events = await eventsOf(fixture);
  // The first tool has its result; the second request reached the budget.
  expect(count(events, 'agent.tool_use')).toBe(2);
  expect(count(events, 'agent.tool_result')).toBe(1);
  expect(stopReasons(events)).toEqual(['budget_reached']);
  expect(count(events, 'session.error')).toBe(0);
  // The agent did not tell what it had cost: the estimate stands.
  expect(client.row.usage.costUsd).toBeGreaterThanOrEqual(0.02);
});

test('a budget that is lowered while a tool runs ends the turn when the tool does', async () => {
  const { fixture, handle } = await turnWithBudget(50, 1);
  await pass(1_000);
  expect(await handle.ended).toMatchObject(REACHED);
  const events = await eventsOf(fixture);
  expect(count(events, 'agent.tool_use')).toBe(1);
  expect(count(events, 'agent.tool_result')).toBe(1);
});

test('a turn that needs leave of its client for a tool does not ask for it any more', async () => {
  const fixture = poolOf({ cents: 1 });
  const client = await clientOf(fixture);
  await client.submit([{ kind: 'prompt', content: text('asks') }]);
  await settle();
  expect(stopReasons(await eventsOf(fixture))).toEqual(['budget_reached']);
});

test('a turn that has answered keeps its end, and its status says that the budget is used up', async () => {
  const fixture = poolOf({ cents: 5 });
  const client = await clientOf(fixture);
  expect(await run(client, 'a dear word')).toMatchObject({ reason: 'completed' });
  const events = await eventsOf(fixture);
  expect(stopReasons(events)).toEqual(['budget_reached']);
  expect(count(events, 'agent.message')).toBe(1);
});

test("the agent's own figure takes the place of the estimate", async () => {
  const fixture = poolOf({ cents: 5 });
  const client = await clientOf(fixture);
  // Four requests of a cent each by estimate, four cents by the agent: one is left.
  expect(await run(client, 'three tools')).toMatchObject({ reason: 'completed' });
  expect(client.row.usage.costUsd).toBe(0.04);
  expect(await run(client, 'three tools')).toMatchObject(REACHED);
});

test('a prompt of a session that has nothing left is kept, and ends without a process', async () => {
  const fixture = poolOf({ cents: 5 });
  const client = await clientOf(fixture);
  await run(client, 'a dear word');
  await client.disconnect('test');
  const processes = fixture.driver.processes.length;
  const first = await client.prompt(text('more'));
  const second = await client.prompt(text('and more'));
  expect(await first.ended).toMatchObject(REACHED);
  expect(await second.ended).toMatchObject(REACHED);
  expect(fixture.driver.processes).toHaveLength(processes);
  expect(client.status).toBe('disconnected');
  const events = await eventsOf(fixture);
  expect(count(events, 'user.message')).toBe(3);
  expect(count(events, 'session.status_running')).toBe(1);
  expect(stopReasons(events)).toEqual(['budget_reached', 'budget_reached', 'budget_reached']);
});

test('a session that has nothing left is given out without a process, and gets one when it may go on', async () => {
  const limit = { cents: 5 };
  const fixture = poolOf(limit);
  await run(await clientOf(fixture), 'a dear word');
  await (await clientOf(fixture)).disconnect('test');
  const processes = fixture.driver.processes.length;
  const client = await clientOf(fixture);
  expect(fixture.driver.processes).toHaveLength(processes);
  expect(client.status).toBe('disconnected');
  expect(await run(client, 'more')).toMatchObject(REACHED);
  limit.cents = 10;
  await clientOf(fixture);
  expect(client.status).toBe('idle');
  expect(await run(client, 'more')).toMatchObject({ reason: 'completed' });
});

test('a session that is archived while its budget is looked up gets no process any more', async () => {
  const looks: PromiseWithResolvers<number | undefined>[] = [];
  const fixture = makePool({
    budgetOf: () => {
      const look = Promise.withResolvers<number | undefined>();
      looks.push(look);
      return look.promise;
    },
  });
  const given = clientOf(fixture);
  await settle();
  looks.shift()?.resolve(undefined);
  const client = await given;
  await client.disconnect('evicted');
  const connected = client.ensureConnected();
  await client.archive('2026-11-22T10:00:00Z');
  looks.shift()?.resolve(undefined);
  await expect(connected).rejects.toMatchObject({ code: 'session_archived' });
  expect([client.status, fixture.driver.processes.length]).toEqual(['disconnected', 1]);
});

test('it goes on when its budget has been raised, or removed', async () => {
  const limit: { cents: number | undefined } = { cents: 5 };
  const fixture = poolOf(limit);
  const client = await clientOf(fixture);
  await run(client, 'a dear word');
  expect(await run(client, 'more')).toMatchObject(REACHED);
  limit.cents = 10;
  expect(await run(client, 'a dear word')).toMatchObject({ reason: 'completed' });
  expect(await run(client, 'more')).toMatchObject(REACHED);
  limit.cents = undefined;
  expect(await run(client, 'more')).toMatchObject({ reason: 'completed' });
});

test('a turn goes on whose budget is raised before its next tool', async () => {
  const { handle } = await turnWithBudget(2, 50);
  await pass(5_000);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
});

test('prompts that wait behind a turn that uses the budget up end without having run', async () => {
  const fixture = poolOf({ cents: 2 });
  const client = await clientOf(fixture);
  const first = await client.prompt(text('three tools'));
  const behind = await client.prompt(text('behind'));
  await pass(5_000);
  expect(await first.ended).toMatchObject(REACHED);
  expect(await behind.ended).toMatchObject(REACHED);
  expect(count(await eventsOf(fixture), 'session.status_running')).toBe(1);
});

test('what a process that died has used counts, by estimate', async () => {
  const fixture = poolOf({ cents: 2 });
  const client = await clientOf(fixture);
  expect(await run(client, 'dies in a tool')).toMatchObject({ error: { code: 'agent_died' } });
  const before = client.row.usage.costUsd;
  expect(before).toBeGreaterThan(0);
  expect(stopReasons(await eventsOf(fixture))).toEqual(['budget_reached']);
});

test('a model without a list price ends the turn: what it costs can not be told', async () => {
  const fixture = poolOf({ cents: 1_000 });
  const client = await clientOf(fixture, 'unheard-of');
  const end = await run(client, 'three tools');
  expect(end).toMatchObject(REACHED);
  expect(end.error?.message).toContain('unheard-of');
});

test('an interrupt that came first stays the cause', async () => {
  const { handle } = await turnWithBudget(50, 1);
  await handle.interrupt();
  expect(await handle.ended).toMatchObject({
    reason: 'interrupted',
    error: { code: 'turn_interrupted' },
  });
});

test('a prompt that is withdrawn while the budget is looked up ends once, as withdrawn', async () => {
  const looked = Promise.withResolvers<number | undefined>();
  const budgetOf = vi.fn<BudgetOf>(() => looked.promise).mockResolvedValueOnce(undefined);
  const fixture = makePool({ driver: { script: SCRIPT }, budgetOf });
  const client = await clientOf(fixture);
  const leaving = new AbortController();
  const handle = await client.prompt(text('more'), { signal: leaving.signal });
  leaving.abort();
  expect(await handle.ended).toMatchObject({ error: { code: 'turn_cancelled' } });
  looked.resolve(1);
  await settle();
  expect(client.busy).toBe(false);
  expect(stopReasons(await eventsOf(fixture))).toHaveLength(1);
});

test('where the budget can not be looked up a prompt ends with that error, and the next one is looked at again', async () => {
  const failed = new RoundhouseError('storage_failed', 'The disk is full.');
  const budgetOf = vi.fn<BudgetOf>(async () => undefined);
  const fixture = makePool({ driver: { script: SCRIPT }, budgetOf });
  const client = await clientOf(fixture);
  budgetOf.mockRejectedValueOnce(failed);
  expect(await run(client, 'hello')).toMatchObject({ error: { code: 'storage_failed' } });
  expect(await run(client, 'hello')).toMatchObject({ reason: 'completed' });
});
