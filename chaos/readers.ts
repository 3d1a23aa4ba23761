import { sleep } from '../src/time/timers.ts';
import { NumberCheck } from './checks/live.ts';
import { EventStream } from './event-stream.ts';
import { digestOf, type Ledger, type SessionEntry } from './ledger.ts';
import type { Random } from './random.ts';
import { recordSchema } from './records.ts';
import type { World } from './world.ts';

export interface ReaderParts {
  readonly world: World;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly sessions: () => readonly SessionEntry[];
  readonly signal: AbortSignal;
}

/** One look at a session. */
interface Visit {
  readonly session: SessionEntry;
  readonly stayMs: number;
  /** Pause behind each event; a stalled reader takes nothing at all for a while, then the rest. */
  readonly pauseMs: number;
  readonly stallMs: number;
}

/**
 * One reader of events: it joins a session, follows it at its own pace, leaves, and comes back later to the same or
 * another one with the last number that it saw. Everything it is shown goes into the ledger.
 */
export async function runReader(parts: ReaderParts): Promise<void> {
  const { world, random, sessions, signal } = parts;
  const lastSeen = new Map<string, number>();
  while (!signal.aborted && !world.failed) {
    await sleep(random.int(100, 2_000), signal, { keepAlive: true }).catch(() => {});
    const session = random.pick(sessions());
    const slow = random.chance(0.15);
    const stalled = random.chance(0.1);
    const visit = {
      stayMs: random.int(500, 12_000),
      pauseMs: slow ? random.int(20, 200) : 0,
      stallMs: stalled ? 8_000 : 0,
    };
    await world.untilUp();
    if (signal.aborted || session === undefined) return;
    if (slow || stalled) parts.ledger.countFault(`reader: ${stalled ? 'stalls' : 'is slow'}`);
    await visitSession(parts, { session, ...visit }, lastSeen);
  }
}

async function visitSession(
  { world, ledger, signal }: ReaderParts,
  { session, stayMs, pauseMs, stallMs }: Visit,
  lastSeen: Map<string, number>,
): Promise<void> {
  const numbers = new NumberCheck(session.name, lastSeen.get(session.name) ?? 0);
  const leaving = AbortSignal.any([signal, timeout(stayMs + stallMs)]);
  const url = `${world.url}/sessions/${session.name}/events`;
  const headers = { accept: 'text/event-stream', 'last-event-id': String(numbers.last) };
  const stream = await EventStream.open(url, { headers }, leaving).catch(() => undefined);
  if (stream === undefined) return;
  if (!stream.response.ok) {
    // Not there yet, deleted, or refused by a server that goes down.
    await stream.response.text().catch(() => '');
    return;
  }
  if (stallMs > 0) await sleep(stallMs, signal, { keepAlive: true }).catch(() => {});
  for await (const { id, data } of stream.events()) {
    if (pauseMs > 0) await sleep(pauseMs, signal, { keepAlive: true }).catch(() => {});
    if (id === undefined || session.retired) continue;
    ledger.violation(...numbers.take(Number(id)));
    see(ledger, session, data);
  }
  lastSeen.set(session.name, numbers.last);
}

/** What is shown under a number is the same for everybody, at any time. */
function see(ledger: Ledger, session: SessionEntry, data: string): void {
  const record = recordSchema.parse(JSON.parse(data));
  const digest = digestOf(record);
  const known = session.seen.get(record.number);
  if (known !== undefined && known !== digest) {
    const what = `two readers of ${session.name} saw different records under ${record.number}`;
    ledger.violation({ invariant: 'I5', what });
  }
  session.seen.set(record.number, digest);
}

function timeout(ms: number): AbortSignal {
  const controller = new AbortController();
  void sleep(ms).then(() => controller.abort());
  return controller.signal;
}
