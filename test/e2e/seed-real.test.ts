import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

import { bundledExecutable } from '../../src/agent/claude-code/executable.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { answerOf, collect, text } from '../support/pool-fixture.ts';
import { RealPool, type RealPoolOptions } from '../support/real-pool.ts';

/** The rows and defects of the seed that only real processes can show; the others stand beside the sources. */

/** The CLI refuses a bare `sleep`. */
const ENDLESS = 'while true; do sleep 1; done';

async function open(options: RealPoolOptions = {}): Promise<RealPool> {
  const real = await RealPool.open(options);
  onTestFinished(() => real.end());
  return real;
}

/** A program in a folder of its own that stands in for Claude Code. */
async function executable(script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rh-executable-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'claude');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

function tool(command: string): string {
  return `[[tool Bash ${JSON.stringify({ command })}]]`;
}

describe('the rows of the seed on real processes', () => {
  test('S6: an interrupt that completes gives the session a new client id on the same process', async () => {
    const real = await open();
    await real.ask('s', 'My name is Ada.');
    const client = await real.pool.getSessionClient('s');
    const handle = await client.prompt(text('[[stall text]] hangs'));
    await real.simulator.waitForRequest(({ prompt }) => prompt?.includes('hangs') === true);
    const { clientId } = client;
    const pid = await real.agentPid('s');
    const from = real.log.mark;
    const interrupted = client.interrupt();
    await real.untilStatus('s', 'interrupting', from);
    expect(await real.pool.getSessionClient('s')).toBe(client);
    expect(await interrupted).toBe(true);
    expect((await handle.ended).reason).toBe('interrupted');
    expect(real.log.events(from)).toEqual(
      expect.arrayContaining([
        'session_pool_interrupting_session',
        'session_pool_interrupt_completed',
      ]),
    );
    expect(client.clientId).not.toBe(clientId);
    expect((await real.ask('s', 'Who am I?')).text).toContain('"My name is Ada."');
    expect(await real.agentPid('s')).toBe(pid);
  });

  test('S6: an interrupt that is not answered costs the process, and the conversation goes on in a new one', async () => {
    const real = await open({ limits: { interruptMs: 500 } });
    await real.ask('s', 'My name is Ada.');
    const client = await real.pool.getSessionClient('s');
    const handle = await client.prompt(text('[[stall text]] hangs'));
    await real.simulator.waitForRequest(({ prompt }) => prompt?.includes('hangs') === true);
    const pid = await real.agentPid('s');
    process.kill(pid, 'SIGSTOP');
    const from = real.log.mark;
    const interrupted = client.interrupt();
    await real.untilStatus('s', 'interrupting', from);
    await real.pool.getSessionClient('s');
    expect(await interrupted).toBe(true);
    expect((await handle.ended).reason).toBe('interrupted');
    const events = real.log.events(from);
    expect(events).toContain('session_pool_interrupting_session');
    expect(events).toContain('session_pool_interrupt_timeout');
    const answer = await real.ask('s', 'Who am I?');
    expect(answer.text).toContain('You said: "Who am I?"');
    expect(answer.text).toContain('"My name is Ada."');
    expect(await real.agentPid('s')).not.toBe(pid);
    expect(real.agentsAlive()).toBe(1);
  });

  test('S8: a process that takes no prompt within the limit is replaced', async () => {
    const real = await open({ limits: { firstMessageMs: 500 } });
    await real.ask('s', 'My name is Ada.');
    const pid = await real.agentPid('s');
    process.kill(pid, 'SIGSTOP');
    const stuck = await real.ask('s', 'is never taken');
    expect(stuck.end).toMatchObject({ reason: 'failed', error: { code: 'first_message_timeout' } });
    expect(real.log.events()).toContain('session_pool_first_chunk_timeout');
    const answer = await real.ask('s', 'Who am I?');
    expect(answer.text).toContain('You said: "Who am I?"');
    expect(answer.text).toContain('"My name is Ada."');
    expect(await real.agentPid('s')).not.toBe(pid);
    expect(real.agentsAlive()).toBe(1);
  });

  test('S9: silence in the middle of an answer interrupts the turn and keeps the session', async () => {
    const real = await open({ limits: { silenceMs: 700 } });
    await real.ask('s', 'My name is Ada.');
    const pid = await real.agentPid('s');
    const silent = await real.ask('s', '[[stall text]] goes silent');
    expect(silent.end).toMatchObject({
      reason: 'failed',
      error: { code: 'stream_silence_timeout' },
    });
    await real.log.waitForEvent('session_pool_interrupted_ongoing_timeout', { phase: 'streaming' });
    expect(real.log.events()).toContain('session_pool_interrupting_ongoing_timeout');
    const answer = await real.ask('s', 'Who am I?');
    expect(answer.text).toContain('"My name is Ada."');
    expect(await real.agentPid('s')).toBe(pid);
  });

  test('S9: pings of the upstream are no progress', async () => {
    const real = await open({ limits: { firstTokenMs: 1_500 } });
    const silent = await real.ask('s', '[[pings every 50ms]]');
    expect(silent.end).toMatchObject({ reason: 'failed', error: { code: 'first_token_timeout' } });
    expect((await real.ask('s', 'and now')).text).toContain('You said: "and now"');
  });

  test('S13: a session past its time to live gets a new process and keeps its conversation', async () => {
    const real = await open({ pool: { sessionTtlMs: 1 } });
    await real.ask('s', 'My name is Ada.');
    const [first] = real.processes().flatMap(({ mark }) => mark ?? []);
    const answer = await real.ask('s', 'Who am I?');
    expect(answer.text).toContain('"My name is Ada."');
    expect(real.log.events()).toContain('session_expired');
    expect(real.processes().map(({ mark }) => mark)).not.toContain(first);
    expect(real.agentsAlive()).toBe(1);
  });

  test('S14: a process that was killed while it was idle is replaced, and the conversation goes on', async () => {
    const real = await open();
    await real.ask('s', 'My name is Ada.');
    const pid = await real.agentPid('s');
    const from = real.log.mark;
    process.kill(pid, 'SIGKILL');
    await real.untilStatus('s', 'error', from);
    const answer = await real.ask('s', 'Who am I?');
    expect(answer.text).toContain('"My name is Ada."');
    expect(real.log.events(from)).toContain('session_unhealthy_recovering');
    const client = await real.pool.getSessionClient('s');
    expect(client.metrics.reused).toBe(true);

    // Asked at once, before anybody knows: the prompt is answered, or refused as one whose process died; never lost.
    process.kill(await real.agentPid('s'), 'SIGKILL');
    const { text: atOnce, end } = await real.ask('s', 'And now?');
    expect(end.error?.code ?? atOnce).toMatch(/^agent_died$|"My name is Ada\.", "Who am I\?"/);
    expect((await real.ask('s', 'At last?')).text).toContain('"My name is Ada.", "Who am I?"');
  });

  test('S17: a program that does not start fails with what it said last, and leaves nothing', async () => {
    const failing = await executable('echo "the licence has run out" >&2; exit 3');
    const real = await open({ executable: failing });
    await expect(real.pool.getSessionClient('s')).rejects.toMatchObject({
      code: 'session_connection_failed',
      message: expect.stringMatching(
        /^Failed to establish session connection: s\b.*the licence has run out/s,
      ),
    });
    expect(real.log.events()).toContain('session_pool_connection_failed');
    expect(real.log.events().filter((event) => event === 'session_start_failed')).toHaveLength(2);
    expect(real.processes()).toEqual([]);
  });

  test('S17: a program that is not there is named', async () => {
    const real = await open({ executable: '/nonexistent/claude' });
    await expect(real.pool.getSessionClient('s')).rejects.toMatchObject({
      code: 'agent_unavailable',
      message: expect.stringContaining('/nonexistent/claude'),
    });
  });
});

describe('the defects of the seed on real processes', () => {
  test('D3: after a first-message timeout every later prompt gets its own answer', async () => {
    const real = await open({ limits: { firstMessageMs: 500 } });
    await real.ask('s', 'zero');
    process.kill(await real.agentPid('s'), 'SIGSTOP');
    expect((await real.ask('s', 'one')).text).toBe('');
    for (const prompt of ['two', 'three', 'four'])
      expect((await real.ask('s', prompt)).text).toContain(`You said: "${prompt}".`);
    expect(real.simulator.requests.filter(({ prompt }) => prompt === 'one')).toEqual([]);
  });

  test('D5: a prompt whose process died is not run again by itself', async () => {
    const real = await open({ agent: { allowedTools: ['Bash'] } });
    const client = await real.pool.getSessionClient('s');
    const handle = await client.prompt(text(tool(`echo done >> effects.txt; ${ENDLESS}`)));
    const effects = join(client.row.workspace, 'effects.txt');
    const read = (): Promise<string> => readFile(effects, 'utf8').catch(() => '');
    await expect.poll(read, { timeout: 20_000, interval: 50 }).toBe('done\n');
    process.kill(await real.agentPid('s'), 'SIGKILL');
    expect(await handle.ended).toMatchObject({ reason: 'failed', error: { code: 'agent_died' } });
    expect((await real.ask('s', 'go on')).text).toContain('You said: "go on"');
    expect(await read()).toBe('done\n');
  });

  test('D6: expiry, idleness, an interrupt and an error keep the conversation', async () => {
    const real = await open({
      pool: { sessionTtlMs: 60_000, idleThresholdMs: 300, cleanupIntervalMs: 50 },
    });
    await real.ask('s', 'one');
    await real.untilStatus('s', 'disconnected');
    expect(real.log.lines.find(({ event }) => event === 'session_process_taken')?.['reason']).toBe(
      'idle',
    );
    await real.ask('s', 'two');
    const client = await real.pool.getSessionClient('s');
    const handle = await client.prompt(text('[[stall first-token]] three'));
    await real.simulator.waitForRequest(({ prompt }) => prompt?.includes('three') === true);
    await client.interrupt();
    expect((await handle.ended).reason).toBe('interrupted');
    expect((await real.ask('s', '[[error 400]] four')).end).toMatchObject({
      reason: 'failed',
      error: { code: 'upstream_invalid_request' },
    });
    const answer = await real.ask('s', 'five');
    for (const earlier of ['"one"', '"two"', 'three', 'four'])
      expect(answer.text).toContain(earlier);
  });

  test('D9: three slow starts at once are not taken for broken processes', async () => {
    const real = await open({
      executable: await executable(`sleep 1.5; exec '${bundledExecutable()}' "$@"`),
      limits: { firstMessageMs: 1_400 },
      pool: { maxStarts: 3 },
    });
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((name) => real.ask(name, `I am ${name}`)),
    );
    for (const [index, name] of ['a', 'b', 'c'].entries())
      expect(answers[index]?.text).toContain(`You said: "I am ${name}"`);
    const events = real.log.events();
    expect(events).not.toContain('session_pool_first_chunk_timeout');
    expect(events).not.toContain('session_start_failed');
    expect(
      real.log.lines.filter(
        ({ event, to }) => event === 'session_state_changed' && to === 'connecting',
      ),
    ).toHaveLength(3);
  });

  test('D11: an interrupt is answered while the answer streams, and while a tool runs', async () => {
    const real = await open();
    const client = await real.pool.getSessionClient('s');
    const pid = await real.agentPid('s');
    for (const [prompt, began] of [
      ['[[slow 50ms]] [[long 500 words]]', 'text_delta'],
      [tool(ENDLESS), 'agent.tool_use'],
    ] as const) {
      const handle = await client.prompt(text(prompt));
      for await (const { record, preview } of handle) {
        if (record?.type === began || preview?.kind === began) break;
      }
      const sinceMs = monotonicMs();
      expect(await handle.interrupt()).toBe(true);
      expect(monotonicMs() - sinceMs).toBeLessThan(2_000);
      expect((await handle.ended).reason).toBe('interrupted');
      expect((await real.ask('s', 'again')).text).toContain('You said: "again"');
    }
    expect(await real.agentPid('s')).toBe(pid);
    expect(real.log.events()).not.toContain('session_interrupt_deadline_passed');
  });

  test('D11: the text that was shown before an interrupt is in the log', async () => {
    const real = await open();
    const client = await real.pool.getSessionClient('s');
    const handle = await client.prompt(text('[[slow 50ms]] [[long 500 words]]'));
    let shown = 0;
    for await (const { preview } of handle) {
      shown += Number(preview?.kind === 'text_delta');
      if (shown === 3) break;
    }
    await handle.interrupt();
    expect(answerOf(await collect(handle))).toMatch(/^A roundhouse keeps /);
  });

  test('D12: after close the whole tree is gone, what a tool set free included', async () => {
    const real = await open({ agent: { allowedTools: ['Bash'] } });
    const client = await real.pool.getSessionClient('s');
    const handle = await client.prompt(text(tool(`setsid sh -c '${ENDLESS}; :' & ${ENDLESS}`)));
    await expect
      .poll(() => real.processes().filter(({ command }) => command.startsWith('sh -c while')), {
        timeout: 20_000,
        interval: 50,
      })
      .not.toEqual([]);
    // Proves in the same moment that nothing lives.
    await real.close();
    expect((await handle.ended).reason).toBe('failed');
  });

  test('D12: a process that is taken from an idle session is gone, with what its tools left running', async () => {
    const real = await open({ agent: { allowedTools: ['Bash'] }, pool: { maxProcesses: 1 } });
    await real.ask('a', tool(`setsid sh -c '${ENDLESS}; :' > /dev/null 2>&1 & echo started`));
    const [mark] = real.processes().flatMap((found) => found.mark ?? []);
    expect(real.processes().some(({ command }) => command.startsWith('sh -c while'))).toBe(true);
    expect((await real.ask('b', 'takes the slot')).text).toContain('takes the slot');
    expect(real.processes().some((found) => found.mark === mark)).toBe(false);
    expect(real.agentsAlive()).toBe(1);
  });
});
