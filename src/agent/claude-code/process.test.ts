import type { SDKMessage, SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import { randomUUID } from 'node:crypto';

import { describe, expect, test, vi } from 'vitest';

import type { AgentOutput } from '../../contracts/agent-driver.ts';
import type { TranscriptEntry, TranscriptStore } from '../../contracts/transcripts.ts';
import type { ChildExit } from './spawn.ts';
import { NO_TELEMETRY } from '../../telemetry/telemetry.ts';
import { drained, recordedTurn } from './fixtures/recorded.ts';
import { promptLifecycle } from './lifecycle.ts';
import { ClaudeCodeProcess } from './process.ts';
import { PromptChannel } from './prompt-channel.ts';
import { TranscriptMirror } from './transcript-mirror.ts';

const EMPTY_STORE: TranscriptStore = {
  append: () => Promise.resolve(),
  load: () => Promise.resolve([]),
  read: () => Promise.resolve({ entries: [], next: null }),
  listSubpaths: () => Promise.resolve([]),
  replace: () => Promise.resolve(),
};

/** A process whose words the test speaks. */
class Puppet {
  readonly models: (string | undefined)[] = [];
  readonly contextCounts: string[] = [];
  readonly signals: string[] = [];
  readonly interrupts: string[] = [];
  readonly process: ClaudeCodeProcess;
  readonly #written: AsyncIterator<SDKUserMessage>;
  readonly #exit = Promise.withResolvers<ChildExit>();
  readonly #words: SDKMessage[] = [];
  #wake: () => void = () => {};
  #silent = false;
  onContextCount: () => Promise<void> = () => Promise.resolve();

  /** With `claim` it is one that was started without a folder. */
  constructor(
    model?: string,
    transcripts: TranscriptStore = EMPTY_STORE,
    claim?: (workspace: string) => Promise<void>,
  ) {
    const channel = new PromptChannel();
    this.#written = channel[Symbol.asyncIterator]();
    this.process = new ClaudeCodeProcess({
      spec: {
        agentSessionId: randomUUID(),
        sessionId: 'sesn_1',
        resume: false,
        clientId: 'clnt_1',
        ...(claim === undefined && { workspace: '/workspace' }),
        processFolder: '/nonexistent/clnt_1',
        options: model === undefined ? {} : { model },
        transcripts,
        answerer: {
          decide: () => Promise.resolve({ behavior: 'deny', message: 'no' }),
          callTool: () => Promise.resolve({ content: [], isError: true }),
        },
      },
      host: {
        spawnPrefix: [],
        registerProcess: () => Promise.resolve(),
        killMarked: () => Promise.resolve(0),
        memoryBytes: () => Promise.resolve(undefined),
      },
      child: {
        pid: 1,
        exited: this.#exit.promise,
        stderrTail: 'last words',
        kill: (signal) => {
          this.signals.push(signal);
          this.die({ code: null, signal });
        },
      },
      query: {
        [Symbol.asyncIterator]: () => this.#speak(),
        interrupt: () => {
          this.interrupts.push('interrupt');
          return Promise.resolve(undefined);
        },
        setModel: (name) => {
          this.models.push(name);
          return Promise.resolve();
        },
        getContextUsage: ({ detail }) => {
          this.contextCounts.push(detail);
          return this.onContextCount();
        },
        mcpServerStatus: () => Promise.resolve([]),
        applyFlagSettings: () => Promise.resolve(),
        close: () => this.die({ code: 0, signal: null }),
      },
      ...(claim !== undefined && { claim }),
      channel,
      mirror: new TranscriptMirror('x', transcripts, NO_TELEMETRY.log),
      redact: (text) => text,
      log: NO_TELEMETRY.log,
    });
  }

  /** Starts a turn; its prompt has been written when this resolves. */
  async prompt(
    model?: string,
  ): Promise<{ promptId: string; outputs: AsyncIterable<readonly AgentOutput[]> }> {
    const promptId = randomUUID();
    const outputs = this.process.prompt({
      promptId,
      content: [{ type: 'text', text: 'hi' }],
      ...(model === undefined ? {} : { model }),
    });
    await this.#written.next();
    return { promptId, outputs };
  }

  /** Says a recorded turn as the answer to a prompt. */
  answer(promptId: string, name = 'text'): void {
    const messages = recordedTurn(name);
    const recordedId = messages.map(promptLifecycle).find((found) => found)?.promptId ?? '';
    for (const message of messages) {
      this.say(JSON.parse(JSON.stringify(message).replaceAll(recordedId, promptId)));
    }
  }

  say(message: SDKMessage): void {
    this.#words.push(message);
    this.#wake();
  }

  die(exit: ChildExit): void {
    this.#exit.resolve(exit);
    this.#silent = true;
    this.#wake();
  }

  async *#speak(): AsyncGenerator<SDKMessage, void> {
    for (;;) {
      for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift())
        yield word;
      if (this.#silent) return;
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      await woken.promise;
    }
  }
}

function mirrorError(): SDKMessage {
  return {
    type: 'system',
    subtype: 'mirror_error',
    error: 'disk full',
    key: { projectKey: 'p', sessionId: 's' },
    uuid: randomUUID(),
    session_id: 's',
  };
}

describe('a Claude Code process', () => {
  test('gives a turn its own answer only, and drops the rests of an earlier one', async () => {
    const puppet = new Puppet();
    const { promptId, outputs } = await puppet.prompt();
    for (const message of recordedTurn('thinking')) puppet.say(message);
    puppet.answer(promptId, 'text');
    const all = await drained(outputs);
    expect(JSON.stringify(all)).not.toContain('agent.thinking');
    expect(all.map(({ kind }) => kind).filter((kind) => kind === 'ended')).toEqual(['ended']);
  });

  test('hands over together what it said in one breath', async () => {
    const puppet = new Puppet();
    const { promptId, outputs } = await puppet.prompt();
    puppet.answer(promptId);
    const batches: (readonly AgentOutput[])[] = [];
    for await (const batch of outputs) batches.push(batch);
    expect(batches).toHaveLength(1);
    expect(batches[0]?.length).toBeGreaterThan(5);
  });

  test('refuses a second prompt while the first runs', async () => {
    const puppet = new Puppet();
    await puppet.prompt();
    expect(() =>
      puppet.process.prompt({ promptId: randomUUID(), content: [{ type: 'text', text: 'x' }] }),
    ).toThrow(/runs a turn/);
  });

  test('refuses content that the agent cannot be given, and stays free', async () => {
    const puppet = new Puppet();
    expect(() =>
      puppet.process.prompt({
        promptId: randomUUID(),
        content: [{ type: 'image', source: { type: 'file', file_id: 'file_1' } }],
      }),
    ).toThrow(/file id/);
    const { promptId, outputs } = await puppet.prompt();
    puppet.answer(promptId);
    expect((await drained(outputs)).at(-1)).toMatchObject({ kind: 'ended' });
  });

  test('changes the model before a prompt that names one, and back before the next', async () => {
    const puppet = new Puppet('model-a');
    for (const model of ['model-b', undefined, undefined]) {
      const { promptId, outputs } = await puppet.prompt(model);
      puppet.answer(promptId);
      await drained(outputs);
    }
    expect(puppet.models).toEqual(['model-b', 'model-a']);
  });

  test('takes a new model of the session with the next prompt', async () => {
    const puppet = new Puppet('model-a');
    await puppet.process.change({ model: 'model-c' });
    await puppet.prompt();
    expect(puppet.models).toEqual(['model-c']);
  });

  test('does not ask for the model that the agent takes unasked', async () => {
    const puppet = new Puppet();
    for (const model of ['default', 'model-b', 'default']) {
      const { promptId, outputs } = await puppet.prompt(model);
      puppet.answer(promptId);
      await drained(outputs);
    }
    expect(puppet.models).toEqual(['model-b', undefined]);
  });

  test('a process that was started with the default model has it', async () => {
    const puppet = new Puppet('default');
    await puppet.prompt();
    expect(puppet.models).toEqual([]);
  });

  test('loads ahead of its first prompt what that needs, and after a turn nothing more', async () => {
    const puppet = new Puppet();
    await puppet.process.warmUp();
    expect(puppet.contextCounts).toEqual(['summary', 'summary']);
    const { promptId, outputs } = await puppet.prompt();
    puppet.answer(promptId);
    await drained(outputs);
    await puppet.process.warmUp();
    expect(puppet.contextCounts).toHaveLength(2);
  });

  test('fails nothing when it can not load it, and does not wait for ever', async () => {
    const puppet = new Puppet();
    puppet.onContextCount = () => Promise.reject(new Error('no'));
    await puppet.process.warmUp();
    puppet.onContextCount = () => new Promise<never>(() => {});
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const warmed = puppet.process.warmUp();
      await vi.advanceTimersByTimeAsync(2_000);
      await warmed;
    } finally {
      vi.useRealTimers();
    }
    expect(puppet.process.alive).toBe(true);
  });

  test('names what it cannot change', async () => {
    const puppet = new Puppet();
    await expect(puppet.process.change({ tools: [] })).rejects.toMatchObject({
      code: 'unsupported_field',
      message: expect.stringContaining('tools'),
    });
  });

  test('interrupts only once the prompt was taken', async () => {
    const puppet = new Puppet();
    const { promptId, outputs } = await puppet.prompt();
    const interrupting = puppet.process.interrupt();
    expect(puppet.interrupts).toEqual([]);
    puppet.answer(promptId, 'interrupted-silence');
    await interrupting;
    expect((await drained(outputs)).at(-1)).toMatchObject({ end: { reason: 'interrupted' } });
  });

  test('ends its turn with what it said last when it dies', async () => {
    const puppet = new Puppet();
    const { outputs } = await puppet.prompt();
    puppet.die({ code: null, signal: 'SIGKILL' });
    const end = (await drained(outputs)).at(-1);
    expect(end).toMatchObject({
      processUsable: false,
      end: { error: { code: 'agent_died', message: expect.stringMatching(/SIGKILL.*last words/) } },
    });
    expect(await puppet.process.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  test('writes what it showed and did not hand on before its turn ends, whatever it says meanwhile', async () => {
    const appended: TranscriptEntry[] = [];
    const loaded = Promise.withResolvers<TranscriptEntry[]>();
    const puppet = new Puppet(undefined, {
      ...EMPTY_STORE,
      load: () => loaded.promise,
      append: async (_key, entries) => void appended.push(...entries),
    });
    const { promptId, outputs } = await puppet.prompt();
    const reading = drained(outputs);
    puppet.answer(promptId);
    // Without a report before it that would be a failure.
    const completed = { type: 'command_lifecycle', command_uuid: promptId, state: 'completed' };
    puppet.say(JSON.parse(JSON.stringify(completed)));
    await new Promise((resolve) => void setImmediate(resolve));
    expect(appended).toEqual([]);
    loaded.resolve([]);
    expect((await reading).at(-1)).toMatchObject({ kind: 'ended', end: { reason: 'completed' } });
    expect(appended.map(({ type, parentUuid }) => [type, parentUuid])).toEqual([
      ['user', null],
      ['assistant', promptId],
    ]);
    expect(appended[0]?.uuid).toBe(promptId);
  });

  test('fails a turn that neither it nor the store could keep, and takes the next prompt', async () => {
    const puppet = new Puppet(undefined, {
      ...EMPTY_STORE,
      load: () => Promise.reject(new Error('no disk')),
    });
    const { promptId, outputs } = await puppet.prompt();
    puppet.answer(promptId);
    expect((await drained(outputs)).at(-1)).toMatchObject({
      end: { reason: 'failed', error: { code: 'storage_failed' } },
      processUsable: true,
    });
    await puppet.prompt();
  });

  test('tells the next turn that the transcript is stale when none was running', async () => {
    const puppet = new Puppet();
    puppet.say(mirrorError());
    await new Promise((resolve) => setImmediate(resolve));
    const { promptId, outputs } = await puppet.prompt();
    puppet.answer(promptId);
    expect(await drained(outputs)).toContainEqual({ kind: 'transcript_stale', error: 'disk full' });
    expect((await puppet.process.close()).transcriptStale).toBe(true);
  });

  test('is killed even where the host finds nothing to kill', async () => {
    const puppet = new Puppet();
    const { outputs } = await puppet.prompt();
    await puppet.process.destroy('test');
    expect((await drained(outputs)).at(-1)).toMatchObject({ processUsable: false });
    expect(puppet.signals).toEqual(['SIGKILL']);
  });
});

describe('a process that waits for its folder', () => {
  const NEVER = new AbortController().signal;

  test('and is closed just as it takes it, does not come to life again', async () => {
    const taken = Promise.withResolvers<void>();
    const { process } = new Puppet(undefined, EMPTY_STORE, () => taken.promise);
    const bound = process.bind({ workspace: '/named' }, NEVER);
    const closed = process.close();
    taken.resolve();
    await expect(bound).rejects.toMatchObject({ code: 'session_connection_failed' });
    expect((await closed).reason).toBe('closed');
    expect(process.alive).toBe(false);
  });

  test('has nothing to load ahead before it has taken it', async () => {
    const puppet = new Puppet(undefined, EMPTY_STORE, () => Promise.resolve());
    await puppet.process.warmUp();
    expect(puppet.contextCounts).toEqual([]);
    await puppet.process.bind({ workspace: '/named' }, NEVER);
    await puppet.process.warmUp();
    expect(puppet.contextCounts).toHaveLength(2);
  });

  test('and refuses it, tells why', async () => {
    const refused = Promise.reject(new Error('cwd_not_found: it is not there'));
    const puppet = new Puppet(undefined, EMPTY_STORE, () => refused);
    await expect(puppet.process.bind({ workspace: '/named' }, NEVER)).rejects.toMatchObject({
      code: 'session_connection_failed',
      message: expect.stringMatching(/\/named.*cwd_not_found/),
    });
    expect(puppet.signals).toEqual(['SIGKILL']);
    expect((await puppet.process.exited).reason).toBe('workspace_refused');
  });
});
