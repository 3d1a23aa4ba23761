import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { askServer, officialClient, prompt, textOf } from '../support/official-client.ts';
import { ServerFixture } from '../support/server-fixture.ts';
import { numbersOf, consecutive, sessionRecords, turnEnds } from '../support/session-events.ts';

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});

afterAll(async () => {
  await simulator?.close();
});

async function serverOf(args: readonly string[], env: Record<string, string> = {}) {
  const server = await ServerFixture.start({ upstream: simulator, args, env });
  onTestFinished(() => server.end());
  return server;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe('eight sessions on three slots', () => {
  test('all get their own answers, twice in a row, with never more than three processes', async () => {
    const server = await serverOf(['--max-processes', '3']);
    const counted: number[] = [];
    // A process is there before its session is told, and may be there after: looked at whenever something changes.
    server.log.onLine(({ event }) => {
      if (event === 'session_state_changed') counted.push(server.agentsAlive());
    });
    const sampled: Promise<number>[] = [];
    server.log.onLine(({ event }) => {
      if (event === 'session_turn_ended')
        sampled.push(server.metric('roundhouse_process_slots_used'));
    });
    for (const round of [1, 2]) {
      const answers = await Promise.all(
        range(8).map((n) => askServer(server.url, `s${n}`, `round ${round} of ${n}`)),
      );
      for (const [n, answer] of answers.entries()) {
        expect(answer).toContain(`You said: "round ${round} of ${n}".`);
        expect(answer).toContain(
          round === 1 ? 'no earlier messages' : `your earlier prompt was: "round 1 of ${n}"`,
        );
      }
    }
    expect(Math.max(...counted)).toBe(3);
    const used = await Promise.all(sampled);
    expect(used.length).toBe(16);
    expect(Math.max(...used)).toBeLessThanOrEqual(3);
    expect(server.log.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual(
      [],
    );
    for (const n of range(8)) {
      const records = await sessionRecords(server.url, `s${n}`);
      expect(turnEnds(records)).toEqual(['completed', 'completed']);
      expect(numbersOf(records)).toEqual(consecutive(records.length));
    }
  });
});

describe('with a queue of two', () => {
  test('the surplus gets 503 with Retry-After at once, and the others their answers', async () => {
    const server = await serverOf(['--max-processes', '2'], { ROUNDHOUSE_POOL_MAX_WAITERS: '2' });
    const sinceMs = monotonicMs();
    const outcomes = await Promise.all(
      range(7).map(async (n) => {
        const response = await fetch(`${server.url}/sessions/w${n}/v1/messages`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(prompt(`[[slow 100ms]] long ${n}`)),
        });
        const text = await response.text();
        return { n, response, text, ms: monotonicMs() - sinceMs };
      }),
    );
    const refused = outcomes.filter(({ response }) => response.status === 503);
    const served = outcomes.filter(({ response }) => response.status === 200);
    expect(served).toHaveLength(4);
    expect(refused).toHaveLength(3);
    for (const { n, text } of served) expect(text).toContain(`long ${n}`);
    for (const { response, text, ms } of refused) {
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(text).toContain('overloaded_error');
      expect(ms).toBeLessThan(800);
    }
    // A refused call leaves nothing that would run later.
    await fetch(`${server.url}/health/ready`);
    const prompts = new Set(simulator.requests.flatMap(({ prompt: said }) => said ?? []));
    for (const { n } of refused) expect(prompts).not.toContain(`[[slow 100ms]] long ${n}`);
    expect(await server.metric('roundhouse_process_slots_waiting')).toBe(0);
  });
});

describe('two prompts at once on one session', () => {
  test('are queued by default and answered in order', async () => {
    const server = await serverOf([]);
    const ended: string[] = [];
    const ask = async (text: string): Promise<string> => {
      const answer = await askServer(server.url, 'one', text);
      ended.push(text);
      return answer;
    };
    const first = ask('[[slow 50ms]] first');
    await server.log.waitForEvent('session_state_changed', { sessionId: 'one', to: 'active' });
    const [, second] = await Promise.all([first, ask('second')]);
    expect(second).toContain('You said: "second". I was shown 2 earlier messages');
    expect(ended).toEqual(['[[slow 50ms]] first', 'second']);
    expect(server.agentsAlive()).toBe(1);
  });

  test('end in a 409 for the second that asked not to wait; the first is not disturbed', async () => {
    const server = await serverOf([]);
    const first = askServer(server.url, 'one', '[[slow 50ms]] first');
    await server.log.waitForEvent('session_state_changed', { sessionId: 'one', to: 'active' });
    const client = officialClient(server.url, {
      session: 'one',
      headers: { 'x-on-busy': 'reject' },
      maxRetries: 2,
    });
    await expect(client.messages.create(prompt('second'))).rejects.toMatchObject({ status: 409 });
    expect(await first).toContain('first');
    expect(textOf(await client.messages.create(prompt('third')))).toContain(
      'I was shown 2 earlier messages',
    );
  });
});

test('a turn whose upstream sends pings and nothing else ends by its own limit, with its reason; the next prompt works', async () => {
  const server = await serverOf([]);
  await askServer(server.url, 'one', 'My name is Ada.');
  const { pid } = await server.agent();
  const response = await fetch(`${server.url}/v1/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-session-id': 'one',
      'x-turn-limits': JSON.stringify({ firstTokenMs: 1_500 }),
    },
    body: JSON.stringify(prompt('[[pings every 50ms]] hangs')),
  });
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ type: 'error' });
  expect(turnEnds(await sessionRecords(server.url, 'one'))).toEqual([
    'completed',
    'first_token_timeout',
  ]);
  const answer = await askServer(server.url, 'one', 'Who am I?');
  expect(answer).toContain('You said: "Who am I?"');
  expect(answer).toContain('"My name is Ada."');
  expect((await server.agent()).pid).toBe(pid);
});
