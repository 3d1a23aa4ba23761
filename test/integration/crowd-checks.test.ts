import { describe, expect, test } from 'vitest';

import { checkAnswers, checkAskedOnce, checkTurns, exactAnswer } from '../../chaos/crowd/checks.ts';
import { CrowdPlan, type CrowdSession } from '../../chaos/crowd/plan.ts';
import { checkOrder, slotWaitOf, type SlotWait } from '../../chaos/crowd/slot-waits.ts';
import {
  Ledger,
  type Finding,
  type SessionEntry,
  type UpstreamRequest,
} from '../../chaos/ledger.ts';
import { Random } from '../../chaos/random.ts';
import type { LogRecord } from '../../chaos/records.ts';

function invariants(findings: readonly Finding[]): string[] {
  return findings.map(({ invariant }) => invariant);
}

/** A session that was prompted and gave these answers. */
function answered(...answers: readonly string[]): SessionEntry {
  const ledger = new Ledger(() => {});
  const session = ledger.openSession('s1');
  for (const answer of answers)
    Object.assign(ledger.openPrompt(session, ''), { status: 200, outcome: 'complete', answer });
  return session;
}

const FIRST = 'You said: "s1-n1". I was shown no earlier messages.';
const SECOND =
  'You said: "s1-n2". I was shown 2 earlier messages; your earlier prompt was: "s1-n1".';
const THIRD =
  'You said: "s1-n3". I was shown 4 earlier messages; your earlier prompts were: "s1-n1", "s1-n2".';

describe('answers', () => {
  test('that tell exactly what their session said before are sound', () => {
    expect(checkAnswers(answered(FIRST, SECOND, THIRD))).toEqual([]);
  });

  test.each([
    ['an empty one', ''],
    ['one without the history', THIRD.replace(/ I was.*/, ' I was shown no earlier messages.')],
    ['one whose history lacks a prompt', THIRD.replace('"s1-n1", ', '')],
    ['one whose history has a prompt twice', THIRD.replace('"s1-n2".', '"s1-n2", "s1-n2".')],
    ['one in another order', THIRD.replace('"s1-n1", "s1-n2"', '"s1-n2", "s1-n1"')],
    ['one that was shown more messages than there were', THIRD.replace('4 earlier', '6 earlier')],
    ['one of another session', THIRD.replaceAll('s1-', 's2-')],
    ['the one before', SECOND],
    ['one that was sent twice', THIRD + THIRD],
    ['one that is not whole', THIRD.slice(0, -1)],
  ])('are caught: %s', (_, answer) => {
    expect(invariants(checkAnswers(answered(FIRST, SECOND, answer)))).toEqual(['I11']);
  });

  test('that did not come are caught, and what follows them is not judged', () => {
    const session = answered(FIRST, SECOND, FIRST);
    Object.assign(session.prompts[1] ?? {}, { outcome: 'refused', status: 503 });
    expect(checkAnswers(session)).toEqual([
      { invariant: 'I7', what: 's1-n2 was not answered: refused, HTTP status 503' },
    ]);
  });

  test('tell of more than ten prompts only how many there were', () => {
    const ids = Array.from({ length: 13 }, (_, index) => `s1-n${index + 1}`);
    expect(exactAnswer(ids)).toContain('24 earlier messages');
    expect(exactAnswer(ids)).toContain('2 older ones, then "s1-n3", ');
  });
});

/** A log of turns, each by its prompt; `+` a turn without an end, `!` one that failed. */
function logOf(...turns: readonly string[]): LogRecord[] {
  return turns.flatMap((turn, index) => {
    const [promptId = '', mark] = turn.split(/(?=[+!])/);
    const common = { turnId: `t${index}`, at: new Date(0).toISOString() };
    const reason = mark === '!' ? 'failed' : 'completed';
    const asked = {
      ...common,
      number: 2 * index + 1,
      type: 'user.message',
      body: { content: [{ type: 'text', text: promptId }] },
      detail: {},
    };
    const turnEnd = { ...common, number: 2 * index + 2, type: 'session.status_idle', body: {} };
    return mark === '+' ? [asked] : [asked, { ...turnEnd, detail: { turnEnd: { reason } } }];
  });
}

function requestFor(promptId: string): UpstreamRequest {
  return { promptId, agentId: 'x', at: 1 };
}

describe('logs', () => {
  const session = answered(FIRST, SECOND, THIRD);

  test('that have each turn once, in order, are sound', () => {
    expect(checkTurns(session, logOf('s1-n1', 's1-n2', 's1-n3'))).toEqual([]);
  });

  test.each([
    ['none', []],
    ['one turn too few', ['s1-n1', 's1-n3']],
    ['one turn too many', ['s1-n1', 's1-n2', 's1-n3', 's1-n4']],
    ['a turn twice', ['s1-n1', 's1-n2', 's1-n2', 's1-n3']],
    ['another order', ['s1-n2', 's1-n1', 's1-n3']],
    ['a turn of another session', ['s1-n1', 's2-n2', 's1-n3']],
    ['a turn that nobody asked for', ['s1-n1', 's1-n2', 's1-n3', 'ghost']],
    ['a turn that failed', ['s1-n1', 's1-n2!', 's1-n3']],
  ])('are caught: %s', (_, turns) => {
    expect(invariants(checkTurns(session, logOf(...turns)))).toEqual(['I11']);
  });

  test('are caught when a prompt was asked for twice upstream, or not at all', () => {
    const once = ['s1-n1', 's1-n2', 's1-n3'].map(requestFor);
    expect(checkAskedOnce([session], once)).toEqual([]);
    expect(invariants(checkAskedOnce([session], [...once, requestFor('s1-n2')]))).toEqual(['I11']);
    expect(invariants(checkAskedOnce([session], once.slice(1)))).toEqual(['I11']);
  });
});

/** Slots in the order of their grants, a second apart: `busy 1` came at second 1. */
function granted(...waits: readonly string[]): SlotWait[] {
  return waits.map((each, index) => {
    const [tenant = '', came] = each.split(' ');
    const grantedAtMs = (100 + index) * 1_000;
    const waitMs = grantedAtMs - Number(came) * 1_000;
    return { sessionId: `s${index}`, tenant, waitMs, grantedAtMs };
  });
}

describe('the order of those who wait', () => {
  test('is fair when keys take turns, and each serves its own by arrival', () => {
    const waits = granted('busy 1', 'quiet 9', 'busy 2', 'quiet 10', 'busy 3', 'busy 4');
    expect(checkOrder(waits)).toEqual({
      overtakenByOwn: 0,
      overtakenByOthers: 2,
      findings: [],
    });
  });

  test('is unfair when somebody is served before one of the same key who came earlier', () => {
    const { overtakenByOwn, findings } = checkOrder(granted('busy 2', 'busy 3', 'busy 1'));
    expect(overtakenByOwn).toBe(2);
    expect(invariants(findings)).toEqual(['I7']);
  });

  test('is unfair when another key is served over and over while one waits', () => {
    const busy = ['busy 1', 'busy 2', 'busy 3', 'busy 4', 'busy 5'];
    expect(invariants(checkOrder(granted(...busy, 'quiet 99')).findings)).toEqual(['I7']);
    // Who comes late has not been passed by those who were served before.
    expect(checkOrder(granted(...busy, 'quiet 103')).findings).toEqual([]);
  });

  test('does not judge who came in the same moment', () => {
    expect(checkOrder(granted('busy 1.002', 'busy 1')).findings).toEqual([]);
  });

  test("is read from the server's log", () => {
    const line =
      '{"level":"debug","time":"1970-01-01T00:00:05.000Z","sessionId":"s1","tenant":"busy","waitMs":40,"event":"session_slot_granted"}';
    expect(slotWaitOf(line)).toEqual({
      sessionId: 's1',
      tenant: 'busy',
      waitMs: 40,
      grantedAtMs: 5_000,
    });
    expect(slotWaitOf(line.replace('session_slot_granted', 'session_turn_ended'))).toBeUndefined();
  });
});

/** Takes everything of a plan, one prompt at a time. */
function orderOf(seed: number, prompts: number, sessions: number): string[] {
  const ledger = new Ledger(() => {});
  const plan = new CrowdPlan({ ledger, random: new Random(seed), prompts, sessions });
  const order: string[] = [];
  for (let next = plan.take(); next !== undefined; next = plan.take()) {
    order.push(next.entry.name);
    plan.release(next);
  }
  return order;
}

describe('the plan', () => {
  test('prompts every session equally often, in an order that the seed decides', () => {
    const order = orderOf(3, 60, 12);
    const counts = Map.groupBy(order, (name) => name);
    expect([...counts.values()].map(({ length }) => length)).toEqual(
      Array.from({ length: 12 }, () => 5),
    );
    expect(orderOf(3, 60, 12)).toEqual(order);
    expect(orderOf(4, 60, 12)).not.toEqual(order);
  });

  test('gives no session a prompt while it answers one', () => {
    const ledger = new Ledger(() => {});
    const plan = new CrowdPlan({ ledger, random: new Random(1), prompts: 6, sessions: 2 });
    const taken: CrowdSession[] = [plan.take(), plan.take()].flatMap((session) => session ?? []);
    expect(new Set(taken).size).toBe(2);
    expect(plan.take()).toBeUndefined();
    plan.release(taken[0]!);
    expect(plan.take()).toBe(taken[0]);
  });

  test('gives three keys unequal numbers of sessions', () => {
    const ledger = new Ledger(() => {});
    const { keys, sessions } = new CrowdPlan({
      ledger,
      random: new Random(1),
      prompts: 12,
      sessions: 12,
    });
    const counts = keys.map(({ id }) => sessions.filter(({ owner }) => owner.id === id).length);
    expect(counts).toEqual([6, 4, 2]);
    expect(new Set(keys.map(({ key }) => key)).size).toBe(3);
  });
});
