import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { askServer } from '../support/official-client.ts';
import { ServerFixture } from '../support/server-fixture.ts';
import { consecutive, sessionRecords, turnEnds } from '../support/session-events.ts';
import { SseReader, type SseEvent } from '../support/sse-reader.ts';

let simulator: Simulator;
let server: ServerFixture;

beforeAll(async () => {
  simulator = await startSimulator();
  server = await ServerFixture.start({
    upstream: simulator,
    env: { ROUNDHOUSE_SERVER_ONE_SHOT_GRACE_MS: '200' },
  });
});

afterAll(async () => {
  await server?.end();
  await simulator?.close();
});

/** Numbers of the records among what a reader was given. */
function numbers(events: readonly SseEvent[]): number[] {
  return events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
}

function isTurnEnd({ event }: SseEvent): boolean {
  return event === 'session.status_idle';
}

describe('a reader of the events of a session', () => {
  test('that comes back over restarts of the server, orderly and not, sees every record once, in order', async () => {
    await askServer(server.url, 'kept', 'one');
    const seen: number[] = [];
    const last = (): number => seen.at(-1) ?? 0;

    const first = await SseReader.follow(server.url, 'kept', 2);
    const turn = SseReader.prompt(server.url, '[[slow 30ms]] two', { 'x-session-id': 'kept' });
    await first.until(({ event }) => event === 'preview');
    first.leave();
    seen.push(...numbers(first.seen));
    expect(seen[0]).toBe(3);
    await (await turn).rest();

    await server.restart();
    const second = await SseReader.follow(server.url, 'kept', last());
    const answered = askServer(server.url, 'kept', 'three');
    let ends = 0;
    await second.until((event) => isTurnEnd(event) && (ends += 1) === 2);
    await answered;
    await server.kill('SIGKILL');
    await second.rest();
    seen.push(...numbers(second.seen));

    await server.restart();
    const third = await SseReader.follow(server.url, 'kept', last());
    const again = askServer(server.url, 'kept', 'four');
    await third.until(isTurnEnd);
    expect(await again).toContain('"one", "[[slow 30ms]] two", "three"');
    third.leave();
    seen.push(...numbers(third.seen));

    const records = await sessionRecords(server.url, 'kept');
    expect(seen).toEqual(consecutive(records.length).slice(2));
    expect(turnEnds(records)).toEqual(['completed', 'completed', 'completed', 'completed']);
  });

  test('that comes in the middle of an answer gets what was said of it, then the rest', async () => {
    const text = '[[slow 30ms]] [[say one two three four five six seven eight nine ten]]';
    const answer = askServer(server.url, 'late', text);
    const early = await untilSession('late');
    await early.until(({ data }) => JSON.stringify(data).includes('"text":"three "'));
    const late = await SseReader.follow(server.url, 'late', 0);
    await Promise.all([early.until(isTurnEnd), late.until(isTurnEnd)]);
    for (const reader of [early, late]) {
      const shown = reader.seen.map(({ data }) => textDelta(data)).join('');
      expect(shown).toBe(await answer);
      reader.leave();
    }
  });

  test('eight at once all get the same, and none is left on the server afterwards', async () => {
    await askServer(server.url, 'many', 'one');
    const readers = await Promise.all(
      Array.from({ length: 8 }, () => SseReader.follow(server.url, 'many')),
    );
    await askServer(server.url, 'many', '[[tokens 200]]');
    for (const reader of readers) {
      let ends = 0;
      await reader.until((event) => isTurnEnd(event) && (ends += 1) === 2);
      reader.leave();
    }
    const [first, ...others] = readers.map(({ seen }) =>
      seen.map(({ event, data }) => ({ event, data })),
    );
    for (const other of others) expect(other).toEqual(first);
    await vi.waitFor(async () => expect(await server.metric('roundhouse_readers')).toBe(0));
  });
});

describe('a client that goes away in the middle of a stream', () => {
  test('leaves the turn of a named session running, and its answer is in the log', async () => {
    const reader = await SseReader.prompt(server.url, '[[slow 30ms]] [[long 20 words]] alone', {
      'x-session-id': 'left',
    });
    await reader.until(({ event }) => event === 'content_block_delta');
    reader.leave();
    await server.log.waitForEvent('session_turn_ended', { sessionId: 'left' });
    const records = await sessionRecords(server.url, 'left');
    expect(turnEnds(records)).toEqual(['completed']);
    const answer = records.find(({ type }) => type === 'agent.message');
    expect(JSON.stringify(answer).split(' ').length).toBeGreaterThan(15);
    expect(await askServer(server.url, 'left', 'back')).toContain('2 earlier messages');
  });

  test('interrupts the turn of a one-shot call after its grace, and nothing of it is left', async () => {
    const folders = await server.folders();
    const from = server.log.mark;
    const reader = await SseReader.prompt(server.url, '[[slow 100ms]] [[long 500 words]] one-shot');
    await reader.until(({ event }) => event === 'content_block_delta');
    const leftAtMs = monotonicMs();
    reader.leave();
    const ended = await server.log.waitForEvent(
      'session_turn_ended',
      { reason: 'interrupted' },
      { from },
    );
    expect(monotonicMs() - leftAtMs).toBeGreaterThan(190);
    expect(monotonicMs() - leftAtMs).toBeLessThan(3_000);
    expect(ended['code']).toBe('reader_left');
    await vi.waitFor(async () => expect(await server.folders()).toEqual(folders), {
      timeout: 5_000,
    });
  });
});

/** A reader of a session that is about to be made. */
async function untilSession(name: string): Promise<SseReader> {
  await server.log.waitForEvent('session_state_changed', { sessionId: name, to: 'active' });
  return SseReader.follow(server.url, name, 0);
}

function textDelta(data: unknown): string {
  const isDelta = typeof data === 'object' && data !== null && 'kind' in data && 'text' in data;
  return isDelta && data.kind === 'text_delta' && typeof data.text === 'string' ? data.text : '';
}
