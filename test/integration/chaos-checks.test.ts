import { spawnSync } from 'node:child_process';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';

import {
  checkHistory,
  checkUpstream,
  countForgotten,
  shownHistory,
} from '../../chaos/checks/history.ts';
import {
  checkAnswer,
  checkProcesses,
  checkStreamEnd,
  NumberCheck,
} from '../../chaos/checks/live.ts';
import { checkAcknowledged, checkLog } from '../../chaos/checks/log.ts';
import {
  digestOf,
  Ledger,
  type Finding,
  type SessionEntry,
  type UpstreamRequest,
} from '../../chaos/ledger.ts';
import { Random } from '../../chaos/random.ts';
import type { LogRecord } from '../../chaos/records.ts';
import { FAULTS_VARIABLE } from '../../chaos/server-faults.ts';

const SERVER_FAULTS = new URL('../../chaos/server-faults.ts', import.meta.url).href;

type Change = Partial<Pick<LogRecord, 'type' | 'body' | 'detail'>>;

/** A log that is written line by line, with the right numbers. */
class TestLog {
  readonly records: LogRecord[] = [];

  add(turnId: string, change: Change): this {
    const number = this.records.length + 1;
    const at = new Date(1_000_000 + number * 1_000).toISOString();
    const plain = { number, turnId, at, type: 'agent.message', body: {}, detail: {} };
    this.records.push({ ...plain, ...change });
    return this;
  }

  asked(promptId: string): this {
    return this.add(`t-${promptId}`, {
      type: 'user.message',
      body: { content: [{ type: 'text', text: `${promptId} [[slow 60ms]]` }] },
    });
  }

  delivered(promptId: string): this {
    return this.add(`t-${promptId}`, {
      type: 'session.status_running',
      detail: { delivered: true },
    });
  }

  said(promptId: string, text: string): this {
    return this.add(`t-${promptId}`, { body: { content: [{ type: 'text', text }] } });
  }

  ended(promptId: string, reason = 'completed', code?: string): this {
    const turnEnd = { reason, ...(code !== undefined && { error: { code } }) };
    return this.add(`t-${promptId}`, { type: 'session.status_idle', detail: { turnEnd } });
  }

  turn(promptId: string, earlier: readonly string[], unnamed = 0): this {
    return this.asked(promptId)
      .delivered(promptId)
      .said(promptId, answerTo(promptId, earlier, unnamed))
      .ended(promptId);
  }
}

/** What the simulator says; `src/simulator/words.ts`. */
function answerTo(promptId: string, earlier: readonly string[], unnamed = 0): string {
  const said = `You said: "${promptId}".`;
  if (earlier.length === 0) return `${said} I was shown no earlier messages.`;
  const names = earlier.map((id) => `"${id} [[slow 60ms]]"`).join(', ');
  const older = unnamed > 0 ? `${unnamed} older ones, then ` : '';
  const verb = earlier.length === 1 ? 'prompt was' : 'prompts were';
  return `${said} I was shown 4 earlier messages; your earlier ${verb}: ${older}${names}.`;
}

function sent(at: number): UpstreamRequest {
  return { promptId: 's1-n1', agentId: 'x', at };
}

function sequence(random: Random): number[] {
  return Array.from({ length: 50 }, () => random.int(0, 99));
}

/** A session of which readers were shown a whole log. */
function readBySomebody(log: TestLog): SessionEntry {
  const entry = new Ledger(() => {}).openSession('s1');
  for (const record of log.records) entry.seen.set(record.number, digestOf(record));
  return entry;
}

function invariants(findings: readonly Finding[]): string[] {
  return findings.map(({ invariant }) => invariant);
}

/** Three turns, the middle one killed before anything was said. */
function soundLog(): TestLog {
  return new TestLog()
    .turn('s1-n1', [])
    .asked('s1-n2')
    .delivered('s1-n2')
    .ended('s1-n2', 'failed', 'agent_died')
    .turn('s1-n3', ['s1-n1']);
}

describe('a sound run', () => {
  test('has no findings in its logs', () => {
    const { records } = soundLog();
    expect(checkLog('s1', records)).toEqual([]);
    expect(checkHistory(records)).toEqual([]);
    expect(countForgotten(records)).toBe(1);
  });

  test('may show the model the prompt of a turn that was killed', () => {
    const log = soundLog().turn('s1-n4', ['s1-n1', 's1-n2', 's1-n3']);
    expect(checkHistory(log.records)).toEqual([]);
  });

  test('may note a wish to interrupt behind the end of its turn', () => {
    const log = soundLog().add('t-s1-n3', { type: 'user.interrupt' });
    expect(checkLog('s1', log.records)).toEqual([]);
  });
});

describe('I1 and I2', () => {
  const sessionOfMark = new Map([
    ['a', 'one'],
    ['b', 'one'],
    ['c', 'two'],
  ]);

  test('catch two agents of one session', () => {
    const marks = new Set(['a', 'b', 'c']);
    expect(invariants(checkProcesses({ marks, sessionOfMark }, 3))).toEqual(['I1']);
  });

  test('catch more agents than slots, on record or not', () => {
    const marks = new Set(['a', 'c', 'unknown', 'unknown too']);
    expect(invariants(checkProcesses({ marks, sessionOfMark }, 3))).toEqual(['I2']);
    expect(checkProcesses({ marks, sessionOfMark }, 4)).toEqual([]);
  });
});

describe('I4', () => {
  test('catches a turn without an end, and one with two', () => {
    const open = new TestLog().asked('s1-n1').delivered('s1-n1');
    expect(invariants(checkLog('s1', open.records))).toEqual(['I4']);
    const twice = new TestLog().turn('s1-n1', []).ended('s1-n1', 'failed', 'interrupted_by_crash');
    expect(invariants(checkLog('s1', twice.records))).toContain('I4');
  });

  test('catches what a turn says behind its end', () => {
    const log = new TestLog().turn('s1-n1', []).said('s1-n1', 'late');
    expect(invariants(checkLog('s1', log.records))).toEqual(['I4']);
  });

  test('catches a turn that nobody asked for', () => {
    const log = new TestLog().delivered('ghost').ended('ghost');
    expect(invariants(checkLog('s1', log.records))).toEqual(['I4']);
  });

  test('catches a stream with two ends, or with none', () => {
    const two = ['message_start', 'error', 'message_stop'];
    expect(invariants(checkStreamEnd('s1-n1', two, true))).toEqual(['I4']);
    expect(invariants(checkStreamEnd('s1-n1', ['message_start'], true))).toEqual(['I4']);
    expect(checkStreamEnd('s1-n1', ['message_start'], false)).toEqual([]);
    expect(checkStreamEnd('s1-n1', ['message_start', 'message_stop'], true)).toEqual([]);
  });
});

describe('I5', () => {
  test('catches a gap and a repeat, as a reader and in the log', () => {
    const reader = new NumberCheck('s1', 4);
    expect(reader.take(5)).toEqual([]);
    expect(invariants(reader.take(7))).toEqual(['I5']);
    expect(reader.take(8)).toEqual([]);
    expect(invariants(reader.take(8))).toEqual(['I5']);
    expect(reader.last).toBe(8);

    const { records } = soundLog();
    const missing = records.filter(({ number }) => number !== 3);
    expect(invariants(checkLog('s1', missing))).toContain('I5');
  });
});

describe('I6', () => {
  test('catches the answer of another session, and of another turn', () => {
    expect(invariants(checkAnswer('s1-n2', answerTo('s1-n2', ['s2-n1'])))).toEqual(['I6']);
    expect(invariants(checkAnswer('s1-n2', answerTo('s1-n1', [])))).toEqual(['I6']);
    expect(invariants(checkAnswer('s1-n2', answerTo('s1.1-n2', [])))).toEqual(['I6', 'I6']);
    expect(checkAnswer('s1-n2', answerTo('s1-n2', ['s1-n1']))).toEqual([]);
  });

  test('catches an agent that asks for two sessions', () => {
    const requests = [
      { promptId: 's1-n1', agentId: 'x', at: 1 },
      { promptId: 's2-n1', agentId: 'x', at: 2 },
      { promptId: 's2-n2', agentId: 'x', at: 3 },
    ];
    expect(invariants(checkUpstream(requests, new Map()))).toEqual(['I6']);
  });
});

describe('turns of one session', () => {
  test('that run at the same time are caught', () => {
    const log = new TestLog()
      .asked('s1-n1')
      .asked('s1-n2')
      .delivered('s1-n1')
      .delivered('s1-n2')
      .ended('s1-n1')
      .ended('s1-n2');
    expect(invariants(checkLog('s1', log.records))).toEqual(['I3']);
  });
});

describe('I10', () => {
  test('catches an event that was shown and is gone, or is another one', () => {
    const log = soundLog();
    const entry = readBySomebody(log);
    expect(checkAcknowledged(entry, log.records, new Set())).toEqual([]);
    expect(invariants(checkAcknowledged(entry, log.records.slice(0, -1), new Set()))).toEqual([
      'I10',
    ]);
    const changed = log.records.with(2, { ...log.records[0]!, number: 3 });
    expect(invariants(checkAcknowledged(entry, changed, new Set()))).toEqual(['I10']);
  });

  test('catches a prompt that was answered, or reached the upstream, and is not in the log', () => {
    const ledger = new Ledger(() => {});
    const entry = ledger.openSession('s1');
    const prompt = ledger.openPrompt(entry, '');
    expect(checkAcknowledged(entry, [], new Set())).toEqual([]);
    expect(invariants(checkAcknowledged(entry, [], new Set(['s1-n1'])))).toEqual(['I10']);
    prompt.status = 200;
    expect(invariants(checkAcknowledged(entry, [], new Set()))).toEqual(['I10']);
  });

  test('catches a completed answer that the log tells otherwise', () => {
    const ledger = new Ledger(() => {});
    const entry = ledger.openSession('s1');
    const answer = answerTo('s1-n1', []);
    Object.assign(ledger.openPrompt(entry, ''), { status: 200, outcome: 'complete', answer });
    const check = (log: TestLog) => invariants(checkAcknowledged(entry, log.records, new Set()));
    expect(check(new TestLog().turn('s1-n1', []))).toEqual([]);
    const other = new TestLog().asked('s1-n1').said('s1-n1', 'Something else.').ended('s1-n1');
    expect(check(other)).toEqual(['I10']);
    const crashed = new TestLog().asked('s1-n1').said('s1-n1', answer);
    expect(check(crashed.ended('s1-n1', 'failed', 'interrupted_by_crash'))).toEqual(['I10']);
  });
});

describe('I11', () => {
  test('catches a prompt that was delivered twice, or stands in the log twice', () => {
    const twice = new TestLog().asked('s1-n1').delivered('s1-n1').delivered('s1-n1').ended('s1-n1');
    expect(invariants(checkLog('s1', twice.records))).toContain('I11');
    const again = new TestLog().turn('s1-n1', []);
    again.add('other', {
      type: 'user.message',
      body: { content: [{ type: 'text', text: 's1-n1' }] },
    });
    again.add('other', { detail: { turnEnd: { reason: 'completed' } } });
    expect(invariants(checkLog('s1', again.records))).toEqual(['I11']);
  });

  test.each([
    ['lacks a completed turn', ['s1-n2']],
    ['names its own prompt', ['s1-n1', 's1-n2', 's1-n3']],
    ['names a prompt twice', ['s1-n1', 's1-n1', 's1-n2']],
    ['names them out of order', ['s1-n2', 's1-n1']],
    ['names one that was never delivered', ['s1-n1', 's1-n2', 's1-n9']],
  ])('catches a history that %s', (_, earlier) => {
    const log = new TestLog().turn('s1-n1', []).turn('s1-n2', ['s1-n1']).turn('s1-n3', earlier);
    expect(invariants(checkHistory(log.records))).toEqual(['I11']);
  });

  test('passes over an answer that was cut off', () => {
    const whole = answerTo('s1-n3', ['s1-n1', 's1-n2']);
    for (const length of [30, 60, 80, whole.length - 1])
      expect(shownHistory(whole.slice(0, length))).toBeUndefined();
    expect(shownHistory(whole)?.named).toEqual(['s1-n1', 's1-n2']);
  });

  test('reads histories of which only the last ten prompts are named', () => {
    const ids = Array.from({ length: 12 }, (_, index) => `s1-n${index + 1}`);
    const log = new TestLog();
    for (const [index, id] of ids.entries()) {
      const earlier = ids.slice(0, index);
      log.turn(id, earlier.slice(-10), Math.max(0, index - 10));
    }
    expect(checkHistory(log.records)).toEqual([]);
    expect(shownHistory(answerTo('s1-n12', ids.slice(1, 11), 1))).toEqual({
      unnamed: 1,
      named: ids.slice(1, 11),
    });
    const lost = log.turn('s1-n13', ids.slice(2), 1);
    expect(invariants(checkHistory(lost.records))).toEqual(['I11']);
  });

  test('catches a prompt that is sent upstream after the end of its turn, not the retries before', () => {
    const endedAt = new Map([['s1-n1', 10_000]]);
    expect(checkUpstream([sent(1_000), sent(9_000), sent(10_100)], endedAt)).toEqual([]);
    expect(invariants(checkUpstream([sent(1_000), sent(60_000)], endedAt))).toEqual(['I11']);
  });
});

describe('a seed', () => {
  test('gives the same decisions again, whatever other actors draw', () => {
    const first = new Random(7);
    const second = new Random(7);
    sequence(second);
    expect(sequence(first.fork('user 1'))).toEqual(sequence(second.fork('user 1')));
    expect(sequence(first.fork('user 1'))).not.toEqual(sequence(first.fork('user 2')));
    expect(sequence(new Random(7))).not.toEqual(sequence(new Random(8)));
  });

  test('spreads its choices as their weights say', () => {
    const random = new Random(3);
    const choices = [{ weight: 1 }, { weight: 3 }];
    const drawn = Array.from({ length: 4_000 }, () => random.weighted(choices));
    expect(drawn.filter((choice) => choice === choices[1]).length / 4_000).toBeCloseTo(0.75, 1);
  });
});

describe('the clock of the server', () => {
  test('is told from ours also when it was put back, in favour of who comes later', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 });
    onTestFinished(() => void vi.useRealTimers());
    const ledger = new Ledger(() => {});
    expect(ledger.momentOf(1_000_000)).toBe(1_000_000);
    vi.setSystemTime(1_100_000);
    const isSo = ledger.noteClock(-60_000);
    vi.setSystemTime(1_110_000);
    isSo();
    expect(ledger.momentOf(1_140_000)).toBe(1_200_000);
    // Shown twice: before the jump, and again a minute later.
    expect(ledger.momentOf(1_090_000)).toBe(1_150_000);
    vi.setSystemTime(1_200_000);
    const isRight = ledger.noteClock(3_600_000);
    // The server is held up, and has not heard of it for long.
    expect(ledger.momentOf(1_240_000)).toBe(1_300_000);
    isRight();
    expect(ledger.momentOf(1_250_000 + 3_600_000)).toBe(1_250_000);
    expect(ledger.momentOf(1_050_000)).toBe(1_110_000);
  });

  test('is off, and its disk slow, in its own process only and without a timer being late', () => {
    const script = `
      import { DatabaseSync } from 'node:sqlite';
      import { writeFile } from 'node:fs/promises';
      const began = performance.now();
      const database = new DatabaseSync(':memory:');
      database.exec('begin');
      database.exec('commit');
      const committed = performance.now();
      await writeFile('/dev/null', '');
      const written = performance.now();
      setTimeout(() => console.log(JSON.stringify({
        offsetMs: Date.now() - performance.timeOrigin - performance.now(),
        newOffsetMs: new Date() - performance.timeOrigin - performance.now(),
        isDate: new Date() instanceof Date, epoch: new Date(0).toISOString(),
        commitMs: committed - began, writeMs: written - committed,
        timerMs: performance.now() - written,
      })), 1);`;
    const faults = { clockOffsetMs: -7_200_000, slowDiskMs: 200 };
    const { stdout } = spawnSync(
      process.execPath,
      ['--import', SERVER_FAULTS, '--input-type=module', '--eval', script],
      { env: { [FAULTS_VARIABLE]: JSON.stringify(faults) }, encoding: 'utf8' },
    );
    const told = z.record(z.string(), z.unknown()).parse(JSON.parse(stdout));
    expect(told).toMatchObject({ isDate: true, epoch: '1970-01-01T00:00:00.000Z' });
    expect(Math.round(Number(told['offsetMs']) / 1000)).toBe(-7_200);
    expect(Math.round(Number(told['newOffsetMs']) / 1000)).toBe(-7_200);
    expect(told['commitMs']).toBeGreaterThanOrEqual(200);
    expect(told['writeMs']).toBeGreaterThanOrEqual(199);
    expect(told['timerMs']).toBeLessThan(60_000);
  });
});
