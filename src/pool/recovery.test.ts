import { expect, test, vi } from 'vitest';
import type { SessionStore } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import { turnEndOf } from '../events/record.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { CrashableStore } from '../../test/support/crashable-store.ts';
import { FakeHost } from '../../test/support/fake-host.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { answerOf, ask, collect, makePool, text } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf, worksFor } from '../../test/support/scripts.ts';

useFakeClock();

/** A host that can die, on a store and a machine that stay. */
function makeLives() {
  const store = new MemorySessionStore();
  const host = new FakeHost();
  const seen: string[] = [];
  const script = scriptOf({ long: HANGS, slow: worksFor(5_000) });
  return {
    store,
    host,
    seen,
    live: ({ maxProcesses = 4, startMs = 0 } = {}) => {
      const port = new CrashableStore(store);
      const fixture = makePool({
        store: port,
        host,
        pool: { maxProcesses },
        driver: {
          ...(startMs > 0 && { startMs }),
          script: (context) => {
            seen.push(context.text);
            return script(context);
          },
        },
      });
      const crash = (): void => {
        port.crash();
        vi.clearAllTimers();
      };
      return { ...fixture, crash };
    },
  };
}

async function endsOf(store: SessionStore, name: string): Promise<string[]> {
  const row = await store.findSession('default', name);
  const records = await store.readEvents(row?.id ?? '', 0, 1_000);
  return records.flatMap((record) => {
    const end = turnEndOf(record);
    return end === undefined ? [] : [end.error?.code ?? end.reason];
  });
}

test('a turn that ran when the host died gets interrupted_by_crash once, also over two restarts, and never runs again', async () => {
  const lives = makeLives();
  const first = lives.live();
  await (await first.pool.getSessionClient('a')).prompt(text('long'));
  await settle();
  first.crash();
  const second = lives.live();
  expect(await second.pool.recover()).toMatchObject({ turnsEnded: 1, prompts: [] });
  second.pool.resumePrompts();
  await pass(1_000);
  second.crash();
  const third = lives.live();
  expect(await third.pool.recover()).toMatchObject({ turnsEnded: 0, prompts: [] });
  expect(await endsOf(lives.store, 'a')).toEqual(['interrupted_by_crash']);
  expect(lives.seen).toEqual(['long']);
  expect(await ask(third, 'a', 'next')).toBe('You said: next. Before: long.');
});

test('a host that dies in the middle of a recovery leaves the rest to the next one', async () => {
  const lives = makeLives();
  const first = lives.live();
  for (const name of ['a', 'b'])
    await (await first.pool.getSessionClient(name)).prompt(text('long'));
  await settle();
  first.crash();
  const second = lives.live();
  const append = second.store.append.bind(second.store);
  vi.spyOn(second.store, 'append').mockImplementationOnce(async (...call) => {
    await append(...call);
    second.crash();
  });
  void second.pool.recover();
  await settle();
  expect(await lives.live().pool.recover()).toMatchObject({ turnsEnded: 1 });
  expect(await endsOf(lives.store, 'a')).toEqual(['interrupted_by_crash']);
  expect(await endsOf(lives.store, 'b')).toEqual(['interrupted_by_crash']);
});

test('prompts that were accepted and never delivered run after the start, in their order, with their model', async () => {
  const lives = makeLives();
  const first = lives.live();
  const client = await first.pool.getSessionClient('a');
  await client.prompt(text('long'));
  await client.prompt(text('b'), { model: 'other' });
  await client.prompt(text('c'));
  await settle();
  first.crash();
  const second = lives.live();
  const { prompts } = await second.pool.recover();
  expect(prompts.map(({ prompt }) => prompt.detail.prompt)).toEqual([{ model: 'other' }, {}]);
  second.pool.resumePrompts();
  await settle();
  expect(lives.seen).toEqual(['long', 'b', 'c']);
  expect(await endsOf(lives.store, 'a')).toEqual([
    'interrupted_by_crash',
    'completed',
    'completed',
  ]);
  const records = await second.pool.readEvents('default', 'a', { after: 0, limit: 100 });
  const answers = records.map((record) => answerOf([{ record }])).filter((answer) => answer !== '');
  expect(answers.at(-1)).toBe('You said: c. Before: long | b.');
});

test('a recovered prompt can be followed from its beginning, like any other', async () => {
  const lives = makeLives();
  const first = lives.live();
  const client = await first.pool.getSessionClient('a');
  await client.disconnect('test');
  const handle = await client.prompt(text('slow'));
  first.crash();
  const second = lives.live();
  await second.pool.recover();
  second.pool.resumePrompts();
  await pass(1_000);
  const again = await second.pool.getSessionClient('a');
  expect(again.phase).toBe('awaiting-first-token');
  const reading = collect(again.read({ after: handle.firstNumber - 1 }));
  await pass(4_000);
  await second.pool.close();
  await reading.catch(() => undefined);
  expect(await endsOf(lives.store, 'a')).toEqual(['completed']);
});

test('a long turn of one session does not keep the recovered prompts of others from running', async () => {
  const lives = makeLives();
  const first = lives.live({ startMs: 100 });
  const getting = ['long', 'b1', 'c1'].map((name) => first.pool.getSessionClient(name));
  await pass(200);
  const clients = await Promise.all(getting);
  for (const client of clients) await client.disconnect('test');
  await Promise.all(clients.map((client) => client.prompt(text(client.name))));
  first.crash();
  const second = lives.live();
  const { prompts } = await second.pool.recover();
  expect(prompts).toHaveLength(3);
  second.pool.resumePrompts();
  await pass(1_000);
  expect(lives.seen.toSorted()).toEqual(['b1', 'c1', 'long']);
});

test('a recovered prompt runs before what a new caller prompts, however early that one comes', async () => {
  const lives = makeLives();
  const first = lives.live({ startMs: 100 });
  const getting = ['a', 'b', 'c'].map((name) => first.pool.getSessionClient(name));
  await pass(200);
  const [a, b, c] = await Promise.all(getting);
  for (const client of [a, b, c]) await client?.disconnect('test');
  await a?.prompt(text('slow'));
  for (const prompt of ['b1', 'b2']) await b?.prompt(text(prompt));
  await c?.prompt(text('c1'));
  first.crash();
  // One session at a time: that of a, which takes its time, comes first.
  const second = lives.live({ maxProcesses: 2 });
  await second.pool.recover();
  second.pool.resumePrompts();
  const answer = ask(second, 'b', 'b3');
  await pass(1_000);
  expect(await answer).toBe('You said: b3. Before: b1 | b2.');
  expect(lives.seen.toSorted()).toEqual(['b1', 'b2', 'b3', 'slow']);
  await pass(5_000);
  expect(lives.seen.at(-1)).toBe('c1');
});

test('a prompt that the recovery could not take up runs when somebody asks for its session', async () => {
  const lives = makeLives();
  const first = lives.live({ startMs: 100 });
  const getting = first.pool.getSessionClient('a');
  await pass(100);
  const client = await getting;
  await client.disconnect('test');
  await client.prompt(text('a1'));
  first.crash();
  const second = lives.live();
  await second.pool.recover();
  vi.spyOn(second.store, 'findSession').mockRejectedValueOnce(
    new RoundhouseError('storage_failed', 'no disk'),
  );
  second.pool.resumePrompts();
  await settle();
  expect(second.line('pool_prompt_not_resumed')).toMatchObject({ sessionId: 'a' });
  expect(lives.seen).toEqual([]);
  expect(await ask(second, 'a', 'a2')).toBe('You said: a2. Before: a1.');
});

test('one-shot sessions go with all they have; named ones stay', async () => {
  const lives = makeLives();
  const first = lives.live();
  await first.pool.getSessionClient('once', { kind: 'one_shot' });
  await ask(first, 'a', 'one');
  first.crash();
  const second = lives.live();
  expect(await second.pool.recover()).toMatchObject({ oneShotsRemoved: 1, foldersRemoved: 2 });
  expect(await lives.store.findSession('default', 'once')).toBeUndefined();
  expect(lives.host.workspaces.size).toBe(1);
  expect(lives.host.folders.size).toBe(0);
  expect(await ask(second, 'a', 'two')).toBe('You said: two. Before: one.');
});

test('a shutdown during the recovery keeps the prompts that have not run, for the next start', async () => {
  const lives = makeLives();
  const first = lives.live();
  for (const name of ['a', 'b', 'c', 'd']) {
    const client = await first.pool.getSessionClient(name);
    await client.prompt(text('long'));
    await client.prompt(text(`${name}1`));
  }
  await settle();
  first.crash();
  const second = lives.live({ maxProcesses: 2 });
  await second.pool.recover();
  second.pool.resumePrompts();
  await second.pool.close();
  expect(second.driver.alive).toEqual([]);
  const third = lives.live();
  const { prompts } = await third.pool.recover();
  third.pool.resumePrompts();
  await settle();
  expect(prompts.length).toBeGreaterThan(0);
  for (const name of ['a', 'b', 'c', 'd'])
    expect(lives.seen.filter((prompt) => prompt === `${name}1`)).toHaveLength(1);
});

test('a session that cannot be put in order keeps no other from starting; it is refused until it can be, and then has one end', async () => {
  const lives = makeLives();
  const first = lives.live();
  for (const name of ['a', 'b'])
    await (await first.pool.getSessionClient(name)).prompt(text('long'));
  await settle();
  first.crash();
  const second = lives.live();
  const broken = await lives.store.findSession('default', 'a');
  const claim = second.store.claimSession.bind(second.store);
  const claiming = vi.spyOn(second.store, 'claimSession').mockImplementation((...call) => {
    if (call[0] === broken?.id) return Promise.reject(new Error('the row is damaged'));
    return claim(...call);
  });
  expect(await second.pool.recover()).toMatchObject({ turnsEnded: 1 });
  expect(second.line('pool_session_broken')).toMatchObject({ id: broken?.id, level: 'error' });
  expect(second.counted.map(({ name }) => name)).toContain('roundhouse_sessions_broken_total');
  expect(await endsOf(lives.store, 'b')).toEqual(['interrupted_by_crash']);
  expect(await ask(second, 'b', 'next')).toBe('You said: next. Before: long.');
  await expect(second.pool.getSessionClient('a')).rejects.toMatchObject({
    code: 'storage_failed',
    message: expect.stringContaining('the row is damaged'),
  });
  claiming.mockRestore();
  expect(await ask(second, 'a', 'next')).toBe('You said: next. Before: long.');
  expect(await endsOf(lives.store, 'a')).toEqual(['interrupted_by_crash', 'completed']);
});

test('an end that was written although the store said no is not written again', async () => {
  const lives = makeLives();
  const first = lives.live();
  await (await first.pool.getSessionClient('a')).prompt(text('long'));
  await settle();
  first.crash();
  const second = lives.live();
  const append = second.store.append.bind(second.store);
  vi.spyOn(second.store, 'append').mockImplementationOnce(async (...call) => {
    await append(...call);
    throw new Error('the answer was lost');
  });
  await second.pool.recover();
  await ask(second, 'a', 'next');
  expect(await endsOf(lives.store, 'a')).toEqual(['interrupted_by_crash', 'completed']);
});

test('a session that cannot be put in order can be deleted', async () => {
  const lives = makeLives();
  const first = lives.live();
  await (await first.pool.getSessionClient('a')).prompt(text('long'));
  await settle();
  first.crash();
  const second = lives.live();
  vi.spyOn(second.store, 'append').mockRejectedValueOnce(new Error('damaged'));
  await second.pool.recover();
  expect(await second.pool.deleteSession('default', 'a')).toBe(true);
  expect(await ask(second, 'a', 'anew')).toBe('You said: anew. Before: nothing.');
});

test('what only the folder of a killed process has of a transcript is taken into the store before the folder goes', async () => {
  const lives = makeLives();
  const first = lives.live();
  await ask(first, 'a', 'one');
  await first.pool.getSessionClient('once', { kind: 'one_shot' });
  const row = await lives.store.findSession('default', 'a');
  const once = await lives.store.findSession('default', 'once');
  const [folder = '', other = ''] = lives.host.folders;
  lives.host.sessionsOfFolders.set(folder, row?.id ?? '').set(other, once?.id ?? '');
  first.crash();
  const second = lives.live();
  const rescuing = vi.spyOn(second.driver, 'rescueTranscript');
  rescuing.mockRejectedValueOnce(new Error('unreadable'));
  expect(await second.pool.recover()).toMatchObject({ foldersRemoved: 1, oneShotsRemoved: 1 });
  expect(rescuing.mock.calls).toEqual([[folder, row?.agentSessionId, second.store.transcripts]]);
  // It has failed: the folder stays, and nobody goes on without it.
  expect([...lives.host.folders]).toEqual([folder]);
  rescuing.mockRejectedValueOnce(new Error('still unreadable'));
  await expect(second.pool.getSessionClient('a')).rejects.toMatchObject({ code: 'storage_failed' });
  expect(await ask(second, 'a', 'two')).toBe('You said: two. Before: one.');
  expect(lives.host.folders).not.toContain(folder);
  expect(rescuing).toHaveBeenCalledTimes(3);
});

test('the workspace of a session that was about to be made when the host died goes at the next start', async () => {
  const lives = makeLives();
  const first = lives.live();
  await first.pool.getSessionClient('a');
  await lives.host.createWorkspace('sesn_never');
  first.crash();
  await lives.live().pool.recover();
  const row = await lives.store.findSession('default', 'a');
  expect([...lives.host.workspaces]).toEqual([row?.workspace]);
});

test('a session that can not be read keeps its workspace, and no host from starting', async () => {
  const lives = makeLives();
  const first = lives.live();
  await first.pool.getSessionClient('a');
  first.crash();
  const row = await lives.store.findSession('default', 'a');
  vi.spyOn(lives.store, 'getSession').mockRejectedValue(
    new RoundhouseError('storage_failed', 'The row can not be read.'),
  );
  await lives.live().pool.recover();
  expect([...lives.host.workspaces]).toEqual([row?.workspace]);
});
