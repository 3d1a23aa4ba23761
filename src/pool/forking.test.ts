import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ScriptStep } from '../agent/scripted/script.ts';
import { echoScript } from '../agent/scripted/script.ts';
import type { EventRecord } from '../events/record.ts';
import {
  answerOf,
  ask,
  collect,
  makePool,
  text,
  type PoolFixture,
  type PoolFixtureOptions,
} from '../../test/support/pool-fixture.ts';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

const HANGS: readonly ScriptStep[] = [{ text: ['hm'] }, { hang: true }];

function opened(options: PoolFixtureOptions = {}): PoolFixture {
  const fixture = makePool({
    ...options,
    driver: {
      script: (context) =>
        context.text.startsWith('hang')
          ? { steps: HANGS }
          : context.text.startsWith('tool')
            ? {
                steps: [{ text: ['I look.'] }, { tool: 'Bash', output: 'ok' }, { text: ['Done.'] }],
              }
            : echoScript(context),
      ...options.driver,
    },
  });
  onTestFinished(() => fixture.pool.close());
  return fixture;
}

const noted = async (): Promise<void> => {};
const refused = (): Promise<void> => Promise.reject(new Error('no room'));

async function forkOf({ pool }: PoolFixture, eventId?: string, name = 'trunk'): Promise<string> {
  const row = await pool.forkSession('default', name, { eventId, announce: noted });
  return row.name;
}

async function records({ pool }: PoolFixture, name: string): Promise<EventRecord[]> {
  return pool.readEvents('default', name, { after: 0, limit: 1_000 });
}

/** The texts of the prompts among the records. */
async function promptsIn(fixture: PoolFixture, name: string): Promise<string[]> {
  return (await records(fixture, name)).flatMap(({ body }) =>
    body.type === 'user.message' ? [JSON.stringify(body.content)] : [],
  );
}

/** The id of the event of the trunk that the condition picks first. */
async function eventOf(
  fixture: PoolFixture,
  is: (record: EventRecord) => boolean,
): Promise<string> {
  const found = (await records(fixture, 'trunk')).find(is);
  if (found === undefined) throw new Error('The trunk has no such event.');
  return found.body.id;
}

function says(type: EventRecord['type'], part: string): (record: EventRecord) => boolean {
  return (record) => record.type === type && JSON.stringify(record.body).includes(part);
}

/** A session of three turns: `one`, `tool`, `three`. */
async function trunk(options?: PoolFixtureOptions): Promise<PoolFixture> {
  const fixture = opened(options);
  for (const prompt of ['one', 'tool', 'three']) await ask(fixture, 'trunk', prompt);
  return fixture;
}

describe('a fork', () => {
  test('knows what was said before it; from then on neither hears of the other', async () => {
    const fixture = await trunk();
    const fork = await forkOf(fixture);
    expect(await ask(fixture, fork, 'in the fork')).toContain('Before: one | tool | three.');
    expect(await ask(fixture, 'trunk', 'in the trunk')).toContain('Before: one | tool | three.');
    expect(await ask(fixture, fork, 'and')).toContain('Before: one | tool | three | in the fork.');
    expect(JSON.stringify(await records(fixture, 'trunk'))).not.toContain('in the fork');
    expect(JSON.stringify(await records(fixture, fork))).not.toContain('in the trunk');
  });

  test('has the records as they were, with numbers of its own', async () => {
    const fixture = await trunk();
    const fork = await forkOf(fixture);
    const before = await records(fixture, 'trunk');
    expect((await records(fixture, fork)).map(({ body }) => body)).toEqual(
      before.map(({ body }) => body),
    );
    const last = await eventOf(fixture, says('agent.message', 'You said: one'));
    const again = await forkOf(fixture, last, fork);
    expect(await ask(fixture, again, 'x')).toContain('Before: one.');
  });

  test.each<[string, (record: EventRecord) => boolean, string]>([
    ['the last answer of a turn keeps the turn', says('agent.message', 'You said: one'), 'one'],
    [
      'the end of a turn keeps it',
      ({ detail, number }) => number > 8 && detail.turnEnd !== undefined,
      'one | tool',
    ],
    ['a prompt keeps what was before it', says('user.message', 'three'), 'one | tool'],
    ['the first prompt begins anew', says('user.message', 'one'), 'nothing'],
    ['the middle of a turn keeps what was before the turn', says('agent.message', 'I look'), 'one'],
    ['a tool’s result in the middle does too', ({ type }) => type === 'agent.tool_result', 'one'],
    ['the answer after a tool keeps the turn', says('agent.message', 'Done.'), 'one | tool'],
  ])('from %s', async (_what, is, before) => {
    const fixture = await trunk();
    const fork = await forkOf(fixture, await eventOf(fixture, is));
    expect(await ask(fixture, fork, 'x')).toContain(`Before: ${before}.`);
    const kept = before === 'nothing' ? 0 : before.split(' | ').length;
    expect(await promptsIn(fixture, fork)).toHaveLength(kept + 1);
  });

  test('from a session that runs has the turns that have ended, and nothing that waits', async () => {
    const fixture = await trunk();
    const client = await fixture.pool.getSessionClient('trunk');
    const running = await client.prompt(text('hang'));
    const waiting = await client.prompt(text('waits'));
    await settle();
    const fork = await forkOf(fixture);
    expect(await ask(fixture, fork, 'x')).toContain('Before: one | tool | three.');
    expect(await promptsIn(fixture, fork)).toHaveLength(4);
    const early = await eventOf(fixture, says('user.message', 'hang'));
    await expect(forkOf(fixture, early)).rejects.toMatchObject({ code: 'session_busy' });

    await client.interrupt();
    await running.ended;
    await waiting.ended;
    // The prompt waited while another turn ran: what was before it is that one, too.
    const queued = await forkOf(fixture, await eventOf(fixture, says('user.message', 'waits')));
    expect(await ask(fixture, queued, 'x')).toContain('Before: one | tool | three | hang.');
    const cut = await forkOf(fixture, early);
    expect(await ask(fixture, cut, 'x')).toContain('Before: one | tool | three.');
  });

  test('never has a prompt that comes while the transcript is copied', async () => {
    const fixture = await trunk();
    const { driver } = fixture;
    const copy = driver.forkTranscript.bind(driver);
    let copies = 0;
    driver.forkTranscript = async (...call) => {
      copies += 1;
      if (copies === 1) await ask(fixture, 'trunk', 'meanwhile');
      await copy(...call);
    };
    const fork = await forkOf(fixture);
    expect(copies).toBe(2);
    expect(await ask(fixture, fork, 'x')).toContain('Before: one | tool | three.');
    expect(await promptsIn(fixture, fork)).toHaveLength(4);
  });

  test('works in an empty folder of its own, or in the one that was named for its parent', async () => {
    const fixture = opened({ workspaces: { allowed: ['/named'] } });
    await ask(fixture, 'trunk', 'one');
    const client = await fixture.pool.getSessionClient('named', { workspace: '/named/a' });
    await collect(await client.prompt(text('one')));
    const announced: unknown[] = [];
    const fork = await fixture.pool.forkSession('default', 'trunk', {
      eventId: undefined,
      announce: async (id, ownWorkspace) => {
        announced.push(id, ownWorkspace);
      },
    });
    const own = await fixture.pool.findClient('default', fork.name);
    expect(announced).toEqual([fork.id, own.row.workspace]);
    const trunkRow = (await fixture.pool.findClient('default', 'trunk')).row;
    expect(own.row).toMatchObject({ ownsWorkspace: true, options: trunkRow.options });
    expect(own.row.workspace).not.toBe(trunkRow.workspace);
    const shared = await fixture.pool.findClient(
      'default',
      await forkOf(fixture, undefined, 'named'),
    );
    expect(shared.row).toMatchObject({ ownsWorkspace: false, workspace: '/named/a' });
  });

  test('that fails leaves nothing behind', async () => {
    const tenantLimits = new Map([['default', { maxSessions: 2 }]]);
    const fixture = await trunk({ tenantLimits });
    const { host, pool, store } = fixture;
    const folders = host.workspaces.size;
    const written: string[] = [];
    const replace = store.transcripts.replace.bind(store.transcripts);
    store.transcripts.replace = (key, entries) => {
      written.push(key.agentSessionId);
      return replace(key, entries);
    };
    await expect(
      pool.forkSession('default', 'trunk', { eventId: undefined, announce: refused }),
    ).rejects.toThrow('no room');
    expect(host.workspaces.size).toBe(folders);
    expect(written[0]).toBeDefined();
    expect(await store.transcripts.listSubpaths(written[0] ?? '')).toEqual([]);
    // What it would have counted for its key is free again, once.
    await forkOf(fixture);
    await expect(forkOf(fixture)).rejects.toMatchObject({ code: 'session_limit_reached' });
  });

  test('is refused for what is not there', async () => {
    const fixture = await trunk();
    await expect(forkOf(fixture, 'sevt_none')).rejects.toMatchObject({ code: 'not_found' });
    await expect(forkOf(fixture, undefined, 'nobody')).rejects.toMatchObject({
      code: 'session_not_found',
    });
    await expect(
      fixture.pool.forkSession('other', 'trunk', { eventId: undefined, announce: noted }),
    ).rejects.toMatchObject({ code: 'session_not_found' });
  });

  test('takes what is left of a session that was trimmed, and says what is gone', async () => {
    const fixture = await trunk();
    const { pool, store } = fixture;
    const gone = await eventOf(fixture, says('agent.message', 'You said: one'));
    const inside = await eventOf(fixture, ({ type }) => type === 'agent.tool_result');
    const all = await records(fixture, 'trunk');
    const { id } = (await pool.findClient('default', 'trunk')).row;
    const keep = all.length - all.findIndex(({ body }) => body.id === inside);
    await store.trimEvents(id, { maxEvents: keep }, 1_000);
    await expect(forkOf(fixture, gone)).rejects.toMatchObject({ code: 'not_found' });
    // Where its turn began is gone too: nobody could tell what came before it.
    await expect(forkOf(fixture, inside)).rejects.toMatchObject({ code: 'not_found' });
    const fork = await forkOf(fixture, await eventOf(fixture, says('user.message', 'three')));
    expect(await ask(fixture, fork, 'x')).toContain('Before: one | tool.');
  });

  test('is refused where the transcript of a turn that ended at the last moment is not complete', async () => {
    const fixture = opened({
      driver: {
        script: (context) =>
          context.text === 'stale' ? { steps: [{ stale: true }] } : echoScript(context),
      },
    });
    await ask(fixture, 'trunk', 'one');
    const { store } = fixture;
    const lastEventNumber = store.lastEventNumber.bind(store);
    vi.spyOn(store, 'lastEventNumber').mockImplementationOnce(async (id) => {
      await ask(fixture, 'trunk', 'stale');
      return lastEventNumber(id);
    });
    await expect(forkOf(fixture)).rejects.toMatchObject({ code: 'session_busy' });
  });

  test('waits for a transcript that is complete', async () => {
    const fixture = opened({ driver: { script: () => ({ steps: [{ stale: true }] }) } });
    const client = await fixture.pool.getSessionClient('trunk');
    expect(answerOf(await collect(await client.prompt(text('one'))))).toBe('');
    await expect(forkOf(fixture)).rejects.toMatchObject({ code: 'session_busy' });
    await client.disconnect('test');
    await fixture.pool.warm('default', 'trunk');
    await forkOf(fixture);
  });
});
