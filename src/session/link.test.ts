import { expect, test, vi } from 'vitest';
import type { ConnectRequest, Connection } from './connector.ts';
import { SessionLink, type LinkParts } from './link.ts';
import { Refusal } from './refusal.ts';
import type { TakeUp } from '../contracts/agent-driver.ts';
import { ScriptedProcess } from '../agent/scripted/scripted-process.ts';
import { echoScript } from '../agent/scripted/script.ts';
import { RoundhouseError } from '../errors.ts';
import { newClientId } from '../events/ids.ts';
import { PolicyAnswerer } from '../pool/policy-answerer.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { sleep } from '../time/timers.ts';
import { failWhereItSpins } from '../../test/support/fail-where-it-spins.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

const START_MS = 1_000;
const EXIT_MS = 500;

interface LinkFixtureOptions {
  readonly connect?: (request: ConnectRequest) => void;
  readonly parts?: Partial<LinkParts>;
  /** What each process goes on with; one that was given up comes all the same. */
  readonly takeUp?: TakeUp;
}

const TAKE_UP: TakeUp = {
  call: { toolUseId: 'toolu_1', toolName: 'Write', input: {} },
  eventId: 'sevt_1',
  decision: { behavior: 'allow' },
  neverHanded: [],
  last: true,
};

function makeLink(options: LinkFixtureOptions = {}) {
  const processes: ScriptedProcess[] = [];
  const starts: number[] = [];
  const reasons: string[] = [];
  /** More than one process that is not gone, at any time. */
  let most = 0;
  const connect = async (request: ConnectRequest, signal: AbortSignal): Promise<Connection> => {
    starts.push(performance.now());
    try {
      const { takeUp } = options;
      await sleep(START_MS, takeUp ? signal : AbortSignal.any([signal, request.unneeded]));
    } catch (error) {
      // A process that was on its way has to go first.
      await sleep(EXIT_MS);
      throw error;
    }
    options.connect?.(request);
    const process = scripted();
    processes.push(process);
    most = Math.max(most, processes.filter(({ gone }) => !gone).length);
    const { clientId } = process;
    const { takeUp } = options;
    return { clientId, process, processFolder: '/processes/p', ...(takeUp && { takeUp }) };
  };
  const link = new SessionLink({
    sessionName: 'a',
    connector: { connect },
    refusal: new Refusal(),
    request: requestOf,
    needed: () => false,
    onChange: (reason) => reasons.push(reason),
    isTurnRunning: () => false,
    transcriptStale: () => {},
    onFailure: () => {},
    telemetry: NO_TELEMETRY,
    ...options.parts,
  });
  return { link, processes, starts, reasons, most: () => most };
}

const store = new MemorySessionStore();

function scripted(): ScriptedProcess {
  const spec = {
    agentSessionId: 'id',
    sessionId: 'sesn_1',
    resume: false,
    clientId: newClientId(),
    workspace: '/w',
    processFolder: '/processes/p',
    options: {},
    transcripts: store.transcripts,
    answerer: new PolicyAnswerer(),
  };
  return new ScriptedProcess({ spec, script: echoScript, earlier: [], exitMs: EXIT_MS });
}

function requestOf(): Omit<ConnectRequest, 'unneeded' | 'onlyIfFree'> {
  return {
    row: {
      id: 'sesn_1',
      tenant: 't',
      name: 'a',
      agentSessionId: 'id',
      options: {},
      limits: {},
      workspace: '/w',
      ownsWorkspace: true,
      kind: 'named',
      staleTranscriptFolder: null,
      usage: {
        inputTokens: 0,
        outputTokens: 0,
        cacheReadInputTokens: 0,
        cacheCreationInputTokens: 0,
        costUsd: 0,
      },
      turnCount: 0,
      activeMs: 0,
      archivedAt: null,
      createdAt: '',
      lastActiveAt: '',
      owner: 'host',
      epoch: 1,
    },
    options: {},
    startMs: 60_000,
    priority: 0,
    transcriptRescued: () => Promise.resolve(),
  };
}

/** How a promise stands, after everything that needs no time. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'pending';
  promise.then(
    () => (state = 'done'),
    (error: unknown) => (state = error instanceof RoundhouseError ? error.code : String(error)),
  );
  await settle();
  return state;
}

test('any number of callers join one connect', async () => {
  const { link, starts } = makeLink();
  const callers = Promise.all([link.ensureAttached(), link.ensureAttached()]);
  await pass(START_MS);
  await callers;
  await link.ensureAttached();
  expect(starts).toHaveLength(1);
  expect(link.status).toBe('attached');
});

test('a new process starts only when the old one is gone, however it went', async () => {
  const { link, processes, starts, most } = makeLink();
  void link.ensureAttached();
  await pass(START_MS);
  const ways: (() => unknown)[] = [
    () => link.release('evicted'),
    () => link.drop('broken', true),
    () => processes.at(-1)?.die(),
  ];
  for (const end of ways) {
    const before = starts.length;
    void end();
    await settle();
    const again = link.ensureAttached();
    await pass(EXIT_MS - 1);
    expect(starts).toHaveLength(before);
    await pass(1 + START_MS);
    await again;
    expect(starts).toHaveLength(before + 1);
  }
  expect(most()).toBe(1);
});

test('a process that died by itself leaves the session in error, one that was taken does not', async () => {
  const { link, processes } = makeLink();
  void link.ensureAttached();
  await pass(START_MS);
  processes[0]?.die();
  await pass(EXIT_MS);
  expect(link.status).toBe('error');
  // There is nothing to wait for: it had started well.
  const again = link.ensureAttached();
  await pass(START_MS);
  await again;
  void link.release('evicted');
  await pass(EXIT_MS);
  expect(link.status).toBe('disconnected');
});

test('a caller that leaves cancels its wait only; the last one gives the connect up', async () => {
  const { link, starts } = makeLink();
  const [first, second] = [new AbortController(), new AbortController()];
  const waits = [link.ensureAttached(first.signal), link.ensureAttached(second.signal)];
  first.abort(new Error('left'));
  expect(await Promise.all(waits.map(stateOf))).toEqual(['Error: left', 'pending']);
  expect(link.status).toBe('connecting');
  second.abort(new Error('left too'));
  await pass(EXIT_MS);
  expect(link.status).toBe('disconnected');
  expect(starts).toHaveLength(1);
});

test('a connect that a prompt needs is not given up with its last caller', async () => {
  const { link } = makeLink({ parts: { needed: () => true } });
  const abort = new AbortController();
  const wait = link.ensureAttached(abort.signal);
  abort.abort(new Error('left'));
  expect(await stateOf(wait)).toBe('Error: left');
  await pass(START_MS);
  expect(link.status).toBe('attached');
});

test('who comes while a connect is being given up gets one of its own', async () => {
  const { link, starts } = makeLink();
  const abort = new AbortController();
  const left = link.ensureAttached(abort.signal);
  abort.abort(new Error('left'));
  expect(await stateOf(left)).toBe('Error: left');
  expect(link.status).toBe('connecting');
  const staying = link.ensureAttached();
  await pass(EXIT_MS + START_MS);
  expect(await stateOf(staying)).toBe('done');
  expect(starts).toHaveLength(2);
});

test('a start for a turn that is stopped is given up, and who needs a process gets another one', async () => {
  const { link, starts, processes } = makeLink({ parts: { needed: () => true } });
  const attached = link.ensureAttached();
  await pass(100);
  const givenUp = link.giveUpTakeUp();
  await pass(EXIT_MS);
  await givenUp;
  await pass(START_MS);
  await attached;
  expect([starts.length, processes.length]).toEqual([2, 1]);
});

test('a process that comes for a stopped turn all the same is let go, and no other', async () => {
  const { link, processes } = makeLink({ takeUp: TAKE_UP });
  void link.ensureAttached();
  await pass(100);
  let over = false;
  void link.giveUpTakeUp().then(() => (over = true));
  await pass(START_MS);
  expect([link.status, over]).toEqual(['closing', false]);
  await pass(EXIT_MS);
  expect([link.status, over, processes[0]?.gone]).toEqual(['disconnected', true, true]);

  const other = makeLink();
  void other.link.ensureAttached();
  await pass(START_MS);
  await other.link.giveUpTakeUp();
  expect(other.link.status).toBe('attached');
});

test('failed connects back off: 0.5 s, doubled, at most 30 s, and callers are refused meanwhile', async () => {
  const onFailure = vi.fn<() => void>();
  const { link, starts } = makeLink({
    connect: () => {
      throw new RoundhouseError('session_connection_failed', 'no');
    },
    parts: { onFailure },
  });
  const pauses: number[] = [];
  for (let failure = 0; failure < 9; failure += 1) {
    const wait = link.ensureAttached().catch((error: unknown) => error);
    await pass(START_MS);
    await wait;
    const refusal = await link.ensureAttached().catch((error: unknown) => error);
    if (!(refusal instanceof RoundhouseError)) throw new Error('not refused');
    pauses.push(refusal.retryAfterSeconds ?? 0);
    await pass((refusal.retryAfterSeconds ?? 0) * 1_000);
  }
  expect(pauses).toEqual([1, 1, 2, 4, 8, 16, 30, 30, 30]);
  expect(starts).toHaveLength(9);
  expect(onFailure).toHaveBeenCalledTimes(9);
});

test('a full pool is no fault of the session: the next caller tries at once', async () => {
  let full = true;
  const { link } = makeLink({
    connect: () => {
      if (full) throw new RoundhouseError('pool_at_capacity', 'full');
    },
  });
  const refused = link.ensureAttached();
  refused.catch(() => {});
  await pass(START_MS);
  expect(await stateOf(refused)).toBe('pool_at_capacity');
  expect(link.status).toBe('disconnected');
  full = false;
  const again = link.ensureAttached();
  await pass(START_MS);
  expect(await stateOf(again)).toBe('done');
});

test('who needs a process joins a start that waits for no slot, and waits for one where that finds none', async () => {
  const { link, starts } = makeLink({
    connect: ({ onlyIfFree }) => {
      if (onlyIfFree) throw new RoundhouseError('pool_at_capacity', 'none is free');
    },
  });
  link.attachIfFree();
  link.attachIfFree();
  const needed = link.ensureAttached();
  await pass(START_MS * 2);
  expect(await stateOf(needed)).toBe('done');
  expect(starts).toHaveLength(2);
});

test.each(['disconnected', 'connecting', 'attached', 'closing', 'error'] as const)(
  'an end leaves no process and nothing to attach, from %s',
  async (from) => {
    const { link, processes } = makeLink({
      connect: () => {
        if (from === 'error') throw new RoundhouseError('session_connection_failed', 'no');
      },
    });
    if (from !== 'disconnected') link.ensureAttached().catch(() => {});
    if (from === 'attached' || from === 'closing' || from === 'error') await pass(START_MS);
    if (from === 'closing') void link.release('evicted');
    await settle();
    expect(link.status).toBe(from);
    const reason = new RoundhouseError('draining', 'closing');
    const ended = Promise.all([link.end(reason), link.end(reason)]);
    await pass(EXIT_MS);
    expect(await stateOf(ended)).toBe('done');
    expect(link.status).toBe('ended');
    expect(processes.filter(({ gone }) => !gone)).toEqual([]);
    expect(await stateOf(link.ensureAttached())).toBe('session_ended');
  },
);

test.each([false, true])(
  'a session that begins to refuse while its process goes gets no other (died: %s)',
  async (died) => {
    const refusal = new Refusal();
    const { link, starts } = makeLink({ parts: { refusal } });
    void link.ensureAttached();
    await pass(START_MS);
    void link.drop('test', died);
    const again = link.ensureAttached();
    refusal.begin(new RoundhouseError('session_archived', 'archived'));
    again.catch(() => {});
    await pass(EXIT_MS + START_MS);
    expect(await stateOf(again)).toBe('session_archived');
    expect([link.status, starts.length]).toEqual([died ? 'error' : 'disconnected', 1]);
  },
);

test('the end of a process that was surrendered is not the affair of its link', async () => {
  const transcriptStale = vi.fn<() => void>();
  const { link, reasons } = makeLink({ parts: { transcriptStale } });
  const process = scripted();
  const prepared = { clientId: process.clientId, process, processFolder: '/p', generation: '1' };
  link.adopt(prepared, {});
  expect(link.surrender('withdrawn')?.connection).toBe(prepared);
  process.die('SIGKILL', { transcriptStale: true });
  await pass(EXIT_MS);
  expect(process.gone).toBe(true);
  expect(transcriptStale).not.toHaveBeenCalled();
  expect(reasons).toEqual(['connected', 'withdrawn']);
});

test('a process that ended for a turn to see, which has left it without, is not waited for again', async () => {
  let running = true;
  const { link, processes, starts } = makeLink({ parts: { isTurnRunning: () => running } });
  void link.ensureAttached();
  await pass(START_MS);
  processes[0]?.die();
  await pass(EXIT_MS);
  expect(link.status).toBe('attached');
  running = false;
  failWhereItSpins(processes[0]);
  const again = link.ensureAttached();
  await pass(START_MS);
  await again;
  expect([starts.length, link.attachment?.connection.process === processes[1]]).toEqual([2, true]);
});

test('a process that is dying at rest is not taken for one that can be used', async () => {
  const { link, processes } = makeLink();
  void link.ensureAttached();
  await pass(START_MS);
  processes[0]?.die();
  const again = link.ensureAttached();
  expect(await stateOf(again)).toBe('pending');
  await pass(EXIT_MS + START_MS);
  expect(await stateOf(again)).toBe('done');
  expect(processes).toHaveLength(2);
});
