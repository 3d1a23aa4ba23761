import { APIError, BadRequestError } from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSessionEvent } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';
import { prompt } from '../support/official-client.ts';
import { scriptOf } from '../support/scripts.ts';

/** Machines that run tests may be slow. */
const WITHIN = { timeout: 10_000, interval: 20 };
/** Two cents at the list price of the model. */
const usage = { inputTokens: 0, outputTokens: 1_000 };
const TOOL = { tool: 'Bash', output: 'done' };
const SCRIPT = scriptOf({
  answer: { steps: [{ text: ['Here.'] }], usage: { ...usage, costUsd: 0.0203 } },
  // The first request is within a budget of three cents, the second one is not.
  work: {
    steps: [
      { ...TOOL, runMs: 20 },
      { ...TOOL, runMs: 60_000 },
    ],
    usage,
  },
});

let server: CatalogServer;
let environment_id: string;

beforeEach(async () => {
  server = await catalogServer({ pool: { driver: { script: SCRIPT } } });
  environment_id = (await server.alice.beta.environments.create({ name: 'here' })).id;
});

function limit(amount: string) {
  return { type: 'limit', max_list_cost: { amount, currency: 'USD' } } as const;
}

/** A session of an agent that may use any tool, with so many cents; null for no budget. */
async function create(cents: string | null, model = 'claude-opus-5-5'): Promise<string> {
  const { beta } = server.alice;
  const agent = await beta.agents.create({
    name: 'Worker',
    model,
    tools: [
      {
        type: 'agent_toolset_20260401',
        default_config: { permission_policy: { type: 'always_allow' } },
      },
    ],
  });
  const budget = cents === null ? {} : { budget: limit(cents) };
  return (await beta.sessions.create({ agent: agent.id, environment_id, ...budget })).id;
}

async function eventsOf(id: string): Promise<BetaManagedAgentsSessionEvent[]> {
  const events: BetaManagedAgentsSessionEvent[] = [];
  for await (const event of server.alice.beta.sessions.events.list(id)) events.push(event);
  return events;
}

/** Sends a prompt, and waits for the end of what it began. Resolves with the events since. */
async function send(id: string, text: string): Promise<BetaManagedAgentsSessionEvent[]> {
  const known = (await eventsOf(id)).length;
  const content = [{ type: 'text' as const, text }];
  await server.alice.beta.sessions.events.send(id, { events: [{ type: 'user.message', content }] });
  return vi.waitFor(async () => {
    const events = (await eventsOf(id)).slice(known);
    expect(events.at(-1)?.type).toBe('session.status_idle');
    return events;
  }, WITHIN);
}

function types(events: readonly BetaManagedAgentsSessionEvent[]): string[] {
  return events.map(({ type }) => type);
}

const BUDGET_REACHED = { stop_reason: { type: 'budget_reached' } };

describe('the budget of a session', () => {
  it('ends its turn where a tool begins, and lets it go on when it is raised', async () => {
    const id = await create('3');
    const events = await send(id, 'work');
    expect(events.at(-1)).toMatchObject(BUDGET_REACHED);
    expect(types(events)).not.toContain('session.error');
    expect(types(events).filter((type) => type === 'agent.tool_use')).toHaveLength(2);
    const { sessions } = server.alice.beta;
    expect((await sessions.retrieve(id)).usage.list_cost).toEqual({ amount: '4', currency: 'USD' });
    const low = await failure(sessions.update(id, { budget: limit('4') }), BadRequestError);
    expect(low.message).toContain('budget_not_raised');
    await sessions.update(id, { budget: limit('10') });
    const more = await send(id, 'answer');
    expect(types(more)).toContain('agent.message');
    expect(more.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
  });

  it('lets an answer be one, and asks no agent any more after it', async () => {
    const id = await create('3');
    const events = await send(id, 'answer');
    expect(types(events)).toContain('agent.message');
    expect(events.at(-1)).toMatchObject(BUDGET_REACHED);
    const processes = server.fixture.driver.processes.length;
    const refused = await send(id, 'answer');
    expect(types(refused)).toEqual(['user.message', 'session.status_idle']);
    expect(refused.at(-1)).toMatchObject(BUDGET_REACHED);
    expect(refused[0]).toMatchObject({ processed_at: expect.any(String) });
    expect(server.fixture.driver.processes).toHaveLength(processes);
    await server.alice.beta.sessions.update(id, { budget: null });
    expect((await send(id, 'answer')).at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
  });

  it('is an error of its own to the Messages API, for which no process is started', async () => {
    const id = await create('3');
    const ask = (text: string) =>
      server.alice.messages.create(prompt(text), { headers: { 'x-session-id': id } });
    expect(await ask('answer')).toMatchObject({ stop_reason: 'end_turn' });
    const { driver, pool } = server.fixture;
    await (await pool.findClient('alice', id)).disconnect('test');
    const processes = driver.processes.length;
    const error: APIError = await failure(ask('answer'), APIError);
    expect(error.status).toBe(402);
    expect(error.error).toMatchObject({
      error: { type: 'billing_error', details: { error_code: 'budget_reached' } },
    });
    expect(error.headers?.get('x-should-retry')).toBe('false');
    expect(driver.processes).toHaveLength(processes);
  });

  it('is for models with a list price', async () => {
    const refused = await failure(create('500', 'sonnet'), BadRequestError);
    expect(refused.message).toContain('model_not_budgetable');
    const id = await create(null, 'sonnet');
    expect((await send(id, 'answer')).at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
  });
});
