import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type {
  AgentDriver,
  AgentOptions,
  AgentOutput,
  AgentProcess,
  AgentSpec,
} from '../../src/contracts/agent-driver.ts';
import type {
  Answerer,
  CallAnswer,
  ClientToolCall,
  ClientToolResult,
  PermissionDecision,
  PermissionRequest,
} from '../../src/contracts/answerer.ts';
import type { TranscriptStore } from '../../src/contracts/transcripts.ts';
import type { TurnEnd } from '../../src/events/record.ts';
import type { RoundhouseError } from '../../src/errors.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { unlessAborted } from '../../src/time/deadline.ts';

/** Prompts that make a driver's agent do what a situation needs. The texts are the driver's own language. */
export interface SituationPrompts {
  /** Answers with `text`, exactly. */
  say(text: string): string;
  /** Answers with a text in which `text` and the texts of the earlier `recall` prompts occur. */
  recall(text: string): string;
  /** Thinks, then answers. */
  think(): string;
  /** Runs a tool that needs no permission and gives `output`, then answers. */
  tool(output: string): string;
  /** Runs a tool that needs no permission and gives the folder it works in, then answers. */
  where(): string;
  /** Calls a tool that needs a permission, then answers. */
  ask(): string;
  /**
   * Calls the shell once for each message of names, one message after the other; each name is a call in its message, which
   * leaves it as a mark when it is carried out. Then answers with `done`.
   */
  mark(...messages: readonly (readonly string[])[]): string;
  /** Calls the client's tool `look_up` once for each key, in one message, with `{key}`; then answers with `done`. */
  lookUp(...keys: readonly string[]): string;
  /** Does not get further: before the first token, in the middle of a text, or while a tool runs. */
  hang(where: 'first-token' | 'text' | 'tool'): string;
  /** The model API fails with this status, each time. */
  fail(status: number): string;
  /** The connection is cut in the middle of the text, once; the repetition succeeds. */
  cutOnce(): string;
  /** A text in so many pieces. */
  pieces(count: number): string;
}

/** What the suite needs to know of a driver. A situation that a driver can't be in is named with its reason. */
export interface AgentDriverHarness {
  readonly driver: AgentDriver;
  readonly prompts: SituationPrompts;
  readonly transcripts: TranscriptStore;
  /** A name that the driver takes as a model, other than its default. */
  readonly otherModel: string;
  /** A new process's spec: its own client id, its own empty folder, an existing workspace. */
  spec(parts: {
    agentSessionId: string;
    resume: boolean;
    options: AgentOptions;
    answerer: Answerer;
    transcripts: TranscriptStore;
  }): Promise<AgentSpec>;
  /** The marks that the calls of a conversation have left: one each time that one was carried out, in order. */
  marks(spec: AgentSpec): Promise<readonly string[]>;
  /** Takes away the folder of a process that is gone. */
  discard(spec: AgentSpec): Promise<void>;
  /** How many processes with this client id's mark are alive. */
  leftovers(clientId: string): Promise<number>;
  /** Sends a signal to the process, as somebody else would. */
  kill(process: AgentProcess, signal: NodeJS.Signals): void;
  /** A driver of the same kind whose executable does not exist. */
  readonly driverWithoutExecutable: AgentDriver | undefined;
  readonly skip: Partial<Record<SkippableSituation, string>>;
}

export type SkippableSituation =
  | 'stopped'
  | 'dies unbound'
  | 'executable'
  | 'workspace'
  | 'stale transcript'
  | 'cut text';

const NO_OPTIONS: AgentOptions = {};
/** How soon the reader of a turn must know that its process has died. */
const DEATH_KNOWN_WITHIN_MS = 1_000;

/** Answers as it is told at the moment. */
class TestAnswerer implements Answerer {
  readonly requests: PermissionRequest[] = [];
  readonly calls: ClientToolCall[] = [];
  behavior: 'deny' | 'allow' | 'never' | 'throw' = 'deny';

  decide(request: PermissionRequest, signal: AbortSignal): Promise<PermissionDecision> {
    this.requests.push(request);
    switch (this.behavior) {
      case 'deny':
        return Promise.resolve({ behavior: 'deny', message: 'The policy says no.' });
      case 'allow':
        return Promise.resolve({ behavior: 'allow' });
      case 'never':
        return unlessAborted(new Promise<never>(() => {}), signal);
      case 'throw':
        return Promise.reject(new Error('secret detail of a defect'));
      default:
        return this.behavior satisfies never;
    }
  }

  callTool(call: ClientToolCall): Promise<ClientToolResult> {
    this.calls.push(call);
    const content = [{ type: 'text', text: 'The policy has no such tool.' }];
    return Promise.resolve({ content, isError: true });
  }
}

/** A transcript store that refuses to append when it is told to. */
class FailingTranscripts implements TranscriptStore {
  fails = false;
  readonly #inner: TranscriptStore;

  constructor(inner: TranscriptStore) {
    this.#inner = inner;
  }

  append: TranscriptStore['append'] = (key, entries) =>
    this.fails ? Promise.reject(new Error('disk full')) : this.#inner.append(key, entries);
  load: TranscriptStore['load'] = (key) => this.#inner.load(key);
  read: TranscriptStore['read'] = (key, page) => this.#inner.read(key, page);
  listSubpaths: TranscriptStore['listSubpaths'] = (id) => this.#inner.listSubpaths(id);
  replace: TranscriptStore['replace'] = (key, entries) => this.#inner.replace(key, entries);
}

/** Everything that came out of one turn. */
interface TurnOutputs {
  readonly outputs: readonly AgentOutput[];
  readonly end: TurnEnd;
  readonly processUsable: boolean;
  /** The texts of its `agent.message` records. */
  readonly text: string;
}

/** Runs the whole contract of an agent driver. `open` is called once; `close` when all tests have run. */
export function describeAgentDriver(
  name: string,
  open: () => Promise<AgentDriverHarness>,
  close: () => Promise<void> = () => Promise.resolve(),
): void {
  describe(`the agent driver ${name}`, () => {
    let harness: AgentDriverHarness;
    const answerer = new TestAnswerer();
    const used: string[] = [];

    async function specOf(
      parts: {
        agentSessionId?: string;
        resume?: boolean;
        options?: AgentOptions;
        transcripts?: TranscriptStore;
      } = {},
    ): Promise<AgentSpec> {
      const spec = await harness.spec({
        agentSessionId: parts.agentSessionId ?? randomUUID(),
        resume: parts.resume ?? false,
        options: parts.options ?? NO_OPTIONS,
        transcripts: parts.transcripts ?? harness.transcripts,
        answerer,
      });
      used.push(spec.clientId);
      return spec;
    }

    /** Skips a test whose situation this driver can't be in, with the reason. */
    function skipIn(skip: (note: string) => void, situation: SkippableSituation): void {
      const reason = harness.skip[situation];
      if (reason !== undefined) skip(reason);
    }

    const start = (spec: AgentSpec, signal = new AbortController().signal): Promise<AgentProcess> =>
      harness.driver.start(spec, signal);

    async function withProcess<T>(
      spec: AgentSpec,
      use: (process: AgentProcess) => Promise<T>,
    ): Promise<T> {
      const process = await start(spec);
      try {
        return await use(process);
      } finally {
        await process.close();
      }
    }

    /** A process that waits for its folder, and the folder that it may have. */
    async function startUnbound(): Promise<{
      spec: AgentSpec;
      workspace: string;
      process: AgentProcess;
    }> {
      const { workspace, ...spec } = await specOf();
      if (workspace === undefined) throw new Error('The harness gives every spec a workspace.');
      return { spec, workspace, process: await start(spec) };
    }

    beforeAll(async () => {
      harness = await open();
    });

    afterAll(async () => {
      await close();
    });

    describe('a turn on a live process', () => {
      let process: AgentProcess;
      beforeAll(async () => {
        process = await start(await specOf());
      });
      afterAll(async () => {
        await process.close();
      });

      test('gives a text in pieces and then as a record', async () => {
        const turn = await run(process, harness.prompts.say('one two three'));
        expect(turn.end).toMatchObject({ reason: 'completed', stopReason: 'end_turn' });
        expect(turn.text).toBe('one two three');
        expect(streamedText(turn.outputs)).toBe('one two three');
        expect(turn.processUsable).toBe(true);
      });

      test('counts what it used', async () => {
        const turn = await run(process, harness.prompts.say('hello'));
        expect(turn.end.modelRequests).toBe(1);
        expect(turn.end.usage.inputTokens).toBeGreaterThan(0);
        expect(turn.end.usage.outputTokens).toBeGreaterThan(0);
      });

      test('brackets each model request with two records', async () => {
        const turn = await run(process, harness.prompts.say('hello'));
        const [begin, ...more] = bodies(turn.outputs, 'span.model_request_start');
        const [end] = bodies(turn.outputs, 'span.model_request_end');
        expect(more).toEqual([]);
        expect(end).toMatchObject({ model_request_start_id: begin?.id, is_error: false });
      });

      test('shows thinking with its text, before the answer', async () => {
        const turn = await run(process, harness.prompts.think());
        const kinds = turn.outputs.flatMap((output) =>
          output.kind === 'event' && output.body.type.startsWith('agent.')
            ? [output.body.type]
            : [],
        );
        expect(kinds.slice(0, 2)).toEqual(['agent.thinking', 'agent.message']);
        const thinking = turn.outputs.find(
          (output) => output.kind === 'event' && output.body.type === 'agent.thinking',
        );
        expect(thinking).toHaveProperty('detail.thinking', expect.stringMatching(/\S/));
      });

      test('runs a tool and refers from its result to its call', async () => {
        const turn = await run(process, harness.prompts.tool('tool-output-42'));
        const [use] = bodies(turn.outputs, 'agent.tool_use');
        const [result] = bodies(turn.outputs, 'agent.tool_result');
        expect(result).toMatchObject({ tool_use_id: use?.id, is_error: false });
        expect(JSON.stringify(result?.content)).toContain('tool-output-42');
        expect(kindsOf(turn.outputs, ['tool_started', 'tool_finished'])).toEqual([
          'tool_started',
          'tool_finished',
        ]);
        expect(turn.end.reason).toBe('completed');
      });

      test('shows a denial to the model, in the words of the policy', async () => {
        answerer.behavior = 'deny';
        const turn = await run(process, harness.prompts.ask());
        const [result] = bodies(turn.outputs, 'agent.tool_result');
        expect(result?.is_error).toBe(true);
        expect(JSON.stringify(result?.content)).toContain('The policy says no.');
        expect(kindsOf(turn.outputs, ['answer_awaited', 'answer_given'])).toEqual([
          'answer_awaited',
          'answer_given',
        ]);
        expect(turn.end.reason).toBe('completed');
      });

      test('asks the answerer with the session, the tool and its input', async () => {
        answerer.behavior = 'deny';
        const before = answerer.requests.length;
        const turn = await run(process, harness.prompts.ask());
        const [use] = bodies(turn.outputs, 'agent.tool_use');
        expect(answerer.requests.slice(before)).toEqual([
          expect.objectContaining({
            sessionId: expect.stringMatching(/^sesn_/),
            toolName: use?.name,
            // Its values may be spelt otherwise: the agent makes paths absolute before it asks.
            input: expect.objectContaining({}),
          }),
        ]);
      });

      test('counts an answerer that fails as a denial, and keeps the reason to itself', async () => {
        answerer.behavior = 'throw';
        const turn = await run(process, harness.prompts.ask());
        const [result] = bodies(turn.outputs, 'agent.tool_result');
        expect(result?.is_error).toBe(true);
        expect(JSON.stringify(turn.outputs)).not.toContain('secret detail');
      });

      test('refuses a second prompt before the first has ended', async () => {
        const first = run(process, harness.prompts.hang('first-token'), (output, stop) => {
          if (output.kind === 'preview') stop();
        });
        await expect(run(process, harness.prompts.say('too early'))).rejects.toHaveProperty('code');
        expect((await first).end.reason).toBe('interrupted');
      });

      test('goes on when its reader leaves', async () => {
        for await (const outputs of process.prompt(prompt(harness.prompts.say('unread')))) {
          if (outputs.some(({ kind }) => kind === 'accepted')) break;
        }
        // The turn that nobody reads any more ends by itself; only then is the next one taken.
        const next = await whenFree(process, harness.prompts.recall('after the unread'));
        expect(next.text).toContain('after the unread');
      });

      test('uses another model for one turn only', async () => {
        const other = await run(process, harness.prompts.say('a'), undefined, harness.otherModel);
        const usual = await run(process, harness.prompts.say('b'));
        expect(modelsOf(other.outputs)).toEqual([harness.otherModel]);
        expect(modelsOf(usual.outputs)).not.toContain(harness.otherModel);
      });

      test('gives a huge answer whole and in order', async () => {
        const pieces = 20_000;
        const turn = await run(process, harness.prompts.pieces(pieces));
        const deltas = turn.outputs.filter(
          (output) => output.kind === 'preview' && output.preview.kind === 'text_delta',
        );
        expect(deltas).toHaveLength(pieces);
        expect(streamedText(turn.outputs)).toBe(turn.text);
      });

      test('tells its memory, where there is a process of the system', async () => {
        const bytes = await process.memoryBytes();
        const plausible =
          process.pid === undefined ? bytes === undefined : (bytes ?? 0) > 10_000_000;
        expect(plausible, `${bytes} bytes`).toBe(true);
      });
    });

    describe("a call of the client's own tool", () => {
      const LOOKS: AgentOptions = {
        tools: [],
        clientTools: [
          {
            name: 'look_up',
            description: 'Looks a key up.',
            inputSchema: { type: 'object', properties: { key: { type: 'string' } } },
          },
        ],
      };

      /** A turn whose client answers as `answer` says. */
      async function looked(
        keys: readonly string[],
        watch: (output: AgentOutput, process: AgentProcess) => void,
      ) {
        const spec = await specOf({ options: LOOKS });
        const process = await start(spec);
        const prompted = { ...prompt(harness.prompts.lookUp(...keys)), answers: 'client' as const };
        const turn = await read(process.prompt(prompted), process, () => {}, watch);
        return { spec, process, turn };
      }

      test('is shown as one, and waits for its result, each of a message for its own', async () => {
        const { process, turn } = await looked(['a', 'b'], (output, its) => {
          if (output.kind !== 'answers_awaited') return;
          const [a = '', b = ''] = output.toolUseIds;
          its.answer(b, found('in b', true));
          its.answer(a, found('in a'));
        });
        expect([turn.end.reason, turn.text]).toEqual(['completed', 'done']);
        expect(bodies(turn.outputs, 'agent.custom_tool_use')).toMatchObject([
          { name: 'look_up', input: { key: 'a' } },
          { name: 'look_up', input: { key: 'b' } },
        ]);
        expect(bodies(turn.outputs, 'agent.tool_use')).toEqual([]);
        // The results are the client's own events.
        expect(bodies(turn.outputs, 'agent.tool_result')).toEqual([]);
        expect(kindsOf(turn.outputs, ['answers_awaited'])).toHaveLength(1);
        expect((await run(process, harness.prompts.say('after it'))).text).toBe('after it');
        await process.close();
      });

      test('may be answered as soon as it is shown: then nobody waits', async () => {
        const { process, turn } = await looked(['a', 'b'], (output, its) => {
          if (output.kind === 'event' && output.body.type === 'agent.custom_tool_use')
            its.answer(output.detail.toolUseId ?? '', found('at once'));
        });
        expect([turn.end.reason, turn.text]).toEqual(['completed', 'done']);
        expect(kindsOf(turn.outputs, ['answers_awaited'])).toEqual([]);
        await process.close();
      });

      test('is none for the client where nobody answers: it is refused, with the word of the policy', async () => {
        const turn = await withProcess(await specOf({ options: LOOKS }), (process) =>
          run(process, harness.prompts.lookUp('a')),
        );
        expect(turn.end.reason).toBe('completed');
        expect(answerer.calls.at(-1)).toMatchObject({ toolName: 'look_up', input: { key: 'a' } });
        expect(bodies(turn.outputs, 'agent.custom_tool_use')).toEqual([]);
        expect(bodies(turn.outputs, 'agent.tool_use')).toMatchObject([
          { name: 'look_up', evaluated_permission: 'deny' },
        ]);
        const [result] = bodies(turn.outputs, 'agent.tool_result');
        expect(JSON.stringify(result?.content)).toContain('The policy has no such tool.');
      });

      test('ends with an interrupt, and the next prompt works', async () => {
        const { process, turn } = await looked(['a'], (output, its) => {
          if (output.kind === 'answers_awaited') void its.interrupt();
        });
        expect(turn.end.reason).toBe('interrupted');
        expect((await run(process, harness.prompts.say('after it'))).text).toBe('after it');
        await process.close();
      });

      test('outlives its process: others give the model the results, one after the other', async () => {
        let ids: readonly string[] = [];
        const { spec, turn } = await looked(['a', 'b'], (output, its) => {
          if (output.kind !== 'answers_awaited') return;
          ids = output.toolUseIds;
          void its.close();
        });
        expect(turn.end.error?.code).toBe('agent_died');
        await harness.discard(spec);
        const { agentSessionId } = spec;
        let said = '';
        for (const [place, text] of ['in a', 'in b'].entries()) {
          const neverHanded = ids.slice(place);
          const [call] = await openCallsOf(harness, spec, [...neverHanded]);
          if (call === undefined) throw new Error('No call is open.');
          const last = place === 1;
          const decision = found(text);
          const takeUp = { call, eventId: 'sevt_asked', decision, neverHanded, last };
          const next = await specOf({ agentSessionId, resume: true, options: LOOKS });
          const taken = await withProcess({ ...next, takeUp }, (process) =>
            read(process.takeUp('client'), process),
          );
          expect(taken.end.reason).toBe('completed');
          expect(bodies(taken.outputs, 'agent.tool_result')).toEqual([]);
          expect(kindsOf(taken.outputs, ['answers_awaited'])).toEqual([]);
          said = taken.text;
        }
        expect(said).toBe('done');
        expect(await openCallsOf(harness, spec, [])).toEqual([]);
      });
    });

    describe('a call that waits for its client', () => {
      const ASKS: AgentOptions = { askFirst: ['Bash'] };
      const ALLOW = { behavior: 'allow' } as const;
      const DENY = { behavior: 'deny', message: 'Not this one.' } as const;
      /** A process that waits with the calls of the first message, and has said so. */
      async function waiting(...messages: string[][]) {
        const spec = await specOf({ options: ASKS });
        const process = await start(spec);
        const asked = Promise.withResolvers<readonly string[]>();
        const prompted = prompt(harness.prompts.mark(...messages));
        const turn = read(
          process.prompt({ ...prompted, answers: 'client' }),
          process,
          asked.resolve,
        );
        return { spec, process, turn, ids: await asked.promise };
      }

      /** A process that goes on with the first open call of an earlier one. */
      async function takingUp(
        spec: AgentSpec,
        decision: PermissionDecision,
        neverHanded: readonly string[],
      ): Promise<AgentProcess> {
        const [call, ...more] = await openCallsOf(harness, spec, [...neverHanded]);
        if (call === undefined) throw new Error('No call is open.');
        const { agentSessionId, workspace } = spec;
        const next = await specOf({ agentSessionId, resume: true, options: ASKS });
        const last = more.length === 0;
        const takeUp = { call, eventId: 'sevt_asked', decision, neverHanded, last };
        return start({ ...next, ...(workspace !== undefined && { workspace }), takeUp });
      }

      test('is not carried out before it is allowed, and then once', async () => {
        const { spec, process, turn, ids } = await waiting(['a']);
        expect(await harness.marks(spec)).toEqual([]);
        expect((await openCallsOf(harness, spec, [])).map(({ toolUseId }) => toolUseId)).toEqual(
          ids,
        );
        process.answer(ids[0] ?? '', ALLOW);
        const { end, outputs, text } = await turn;
        expect([end.reason, text]).toEqual(['completed', 'done']);
        expect(await harness.marks(spec)).toEqual(['a']);
        expect(bodies(outputs, 'agent.tool_use')).toMatchObject([{ evaluated_permission: 'ask' }]);
        expect(bodies(outputs, 'agent.tool_result')).toMatchObject([{ is_error: false }]);
        await process.close();
      });

      test('is not carried out when it is denied, and the model is told why', async () => {
        const { spec, process, turn, ids } = await waiting(['a']);
        process.answer(ids[0] ?? '', DENY);
        const { end, outputs } = await turn;
        expect(end.reason).toBe('completed');
        expect(await harness.marks(spec)).toEqual([]);
        const [result] = bodies(outputs, 'agent.tool_result');
        expect(result?.is_error).toBe(true);
        expect(JSON.stringify(result?.content)).toContain('Not this one.');
        await process.close();
      });

      test('is asked about together with the others of its message; each answer is for its own', async () => {
        const { spec, process, turn, ids } = await waiting(['a', 'b', 'c']);
        expect(ids).toHaveLength(3);
        answerAll((_id, place) => (place === 1 ? DENY : ALLOW))(ids, process);
        const { end, outputs } = await turn;
        expect(end.reason).toBe('completed');
        expect(await harness.marks(spec)).toEqual(['a', 'c']);
        expect(kindsOf(outputs, ['answers_awaited'])).toHaveLength(1);
        await process.close();
      });

      test('may be followed by another one', async () => {
        const spec = await specOf({ options: ASKS });
        const process = await start(spec);
        const prompted = prompt(harness.prompts.mark(['a'], ['b']));
        const { end, outputs } = await read(
          process.prompt({ ...prompted, answers: 'client' }),
          process,
          answerAll(() => ALLOW),
        );
        expect(end.reason).toBe('completed');
        expect(kindsOf(outputs, ['answers_awaited'])).toHaveLength(2);
        expect(await harness.marks(spec)).toEqual(['a', 'b']);
        await process.close();
      });

      test('is denied at once where nobody answers', async () => {
        answerer.behavior = 'deny';
        const spec = await specOf({ options: ASKS });
        const turn = await withProcess(spec, (process) =>
          run(process, harness.prompts.mark(['a'])),
        );
        expect(turn.end.reason).toBe('completed');
        expect(kindsOf(turn.outputs, ['answers_awaited'])).toEqual([]);
        const [result] = bodies(turn.outputs, 'agent.tool_result');
        expect(JSON.stringify(result?.content)).toContain('The policy says no.');
        expect(bodies(turn.outputs, 'agent.tool_use')).toMatchObject([
          { evaluated_permission: 'deny' },
        ]);
        expect(await harness.marks(spec)).toEqual([]);
      });

      test('ends with an interrupt, and the next prompt works', async () => {
        const { spec, process, turn } = await waiting(['a', 'b']);
        await process.interrupt();
        expect((await turn).end.reason).toBe('interrupted');
        expect((await run(process, harness.prompts.say('after it'))).text).toBe('after it');
        expect(await openCallsOf(harness, spec, [])).toEqual([]);
        expect(await harness.marks(spec)).toEqual([]);
        await process.close();
      });

      for (const [how, end] of [
        ['is closed', (process: AgentProcess) => process.close()],
        ['is destroyed', (process: AgentProcess) => process.destroy('evicted')],
        [
          'is killed',
          (process: AgentProcess) => {
            harness.kill(process, 'SIGKILL');
            return process.exited;
          },
        ],
      ] as const) {
        test(`outlives its process that ${how}: another one carries it out, once`, async () => {
          const { spec, process, turn, ids } = await waiting(['a']);
          await end(process);
          expect((await turn).end.error?.code).toBe('agent_died');
          await harness.discard(spec);
          const next = await takingUp(spec, ALLOW, ids);
          const taken = await read(next.takeUp('client'), next);
          expect([taken.end.reason, taken.text]).toEqual(['completed', 'done']);
          expect(await harness.marks(spec)).toEqual(['a']);
          expect(bodies(taken.outputs, 'agent.tool_result')).toMatchObject([
            { tool_use_id: 'sevt_asked', is_error: false },
          ]);
          expect(bodies(taken.outputs, 'agent.tool_use')).toEqual([]);
          expect((await run(next, harness.prompts.say('and on'))).text).toBe('and on');
          expect(await harness.marks(spec)).toEqual(['a']);
          await next.close();
        });
      }

      test('is taken up after the others of its message, each in a process of its own', async () => {
        const { spec, process, turn, ids } = await waiting(['a', 'b', 'c']);
        await process.close();
        await turn;
        const ends: string[] = [];
        const results: unknown[] = [];
        for (const [place, decision] of [ALLOW, DENY, ALLOW].entries()) {
          const next = await takingUp(spec, decision, ids.slice(place));
          const { end, outputs } = await read(next.takeUp('client'), next);
          ends.push(end.reason);
          const [result] = bodies(outputs, 'agent.tool_result');
          results.push([result?.is_error, JSON.stringify(result?.content).includes('Not this')]);
          await next.close();
        }
        expect(ends).toEqual(['completed', 'completed', 'completed']);
        expect(results).toEqual([
          [false, false],
          [true, true],
          [false, false],
        ]);
        expect(await harness.marks(spec)).toEqual(['a', 'c']);
        const { agentSessionId } = spec;
        const last = await specOf({ agentSessionId, resume: true, options: ASKS });
        const after = await withProcess(last, (resumed) =>
          run(resumed, harness.prompts.say('after all')),
        );
        expect(after.text).toBe('after all');
        expect(await harness.marks(spec)).toEqual(['a', 'c']);
      });

      test('that was taken up may be followed by another one, which waits as well', async () => {
        const { spec, process, turn, ids } = await waiting(['a'], ['b']);
        await process.close();
        await turn;
        const next = await takingUp(spec, ALLOW, ids);
        const taken = await read(
          next.takeUp('client'),
          next,
          answerAll(() => ALLOW),
        );
        expect(taken.end.reason).toBe('completed');
        expect(kindsOf(taken.outputs, ['answers_awaited'])).toHaveLength(1);
        expect(await harness.marks(spec)).toEqual(['a', 'b']);
        await next.close();
      });

      test('is not carried out by a process that resumes for another prompt', async () => {
        const { spec, process, turn } = await waiting(['a', 'b']);
        await process.destroy('evicted');
        await turn;
        const { agentSessionId, workspace } = spec;
        const next = await specOf({ agentSessionId, resume: true, options: ASKS });
        const after = await withProcess(
          { ...next, ...(workspace !== undefined && { workspace }) },
          (resumed) => run(resumed, harness.prompts.say('something else')),
        );
        expect(after.text).toBe('something else');
        expect(await harness.marks(spec)).toEqual([]);
      });

      test('is not taken up twice', async () => {
        const { spec, process, turn, ids } = await waiting(['a']);
        await process.close();
        await turn;
        const [call] = await openCallsOf(harness, spec, [...ids]);
        const next = await takingUp(spec, ALLOW, ids);
        await read(next.takeUp('client'), next);
        await next.close();
        expect(await openCallsOf(harness, spec, [])).toEqual([]);
        if (call === undefined) throw new Error('No call was open.');
        const { agentSessionId } = spec;
        const again = await specOf({ agentSessionId, resume: true, options: ASKS });
        const takeUp = { call, eventId: 'e', decision: ALLOW, neverHanded: [], last: true };
        await expect(start({ ...again, takeUp })).rejects.toMatchObject({
          code: 'session_connection_failed',
        });
        expect(await harness.marks(spec)).toEqual(['a']);
      });
    });

    describe('an interrupt', () => {
      let process: AgentProcess;
      beforeAll(async () => {
        process = await start(await specOf());
      });
      afterAll(async () => {
        await process.close();
      });

      /** The answer to the next prompt; the interrupted turn must have ended as one. */
      async function answerAfter(turn: TurnOutputs, next: string): Promise<string> {
        expect(turn.end).toMatchObject({
          reason: 'interrupted',
          error: { code: 'turn_interrupted' },
        });
        expect(turn.processUsable).toBe(true);
        const after = await run(process, harness.prompts.say(next));
        expect(after.end.reason).toBe('completed');
        return after.text;
      }

      test('ends a turn before its prompt was even taken', async () => {
        const reading = run(process, harness.prompts.hang('first-token'));
        await process.interrupt();
        expect(await answerAfter(await reading, 'after an early interrupt')).toBe(
          'after an early interrupt',
        );
      });

      test('ends a turn whose model has not said anything yet', async () => {
        const turn = await run(process, harness.prompts.hang('first-token'), (output, stop) => {
          if (output.kind === 'preview') stop();
        });
        expect(await answerAfter(turn, 'after silence')).toBe('after silence');
      });

      test('ends a turn in the middle of a text, and keeps what was shown', async () => {
        const turn = await run(process, harness.prompts.hang('text'), (output, stop) => {
          if (output.kind === 'preview' && output.preview.kind === 'text_delta') stop();
        });
        expect(streamedText(turn.outputs)).not.toBe('');
        expect(await answerAfter(turn, 'after a text')).toBe('after a text');
      });

      test('ends a turn while a tool runs', async () => {
        const turn = await run(process, harness.prompts.hang('tool'), (output, stop) => {
          if (output.kind === 'tool_started') stop();
        });
        expect(await answerAfter(turn, 'after a tool')).toBe('after a tool');
      });

      test('ends a turn that waits for a permission', async () => {
        answerer.behavior = 'never';
        const turn = await run(process, harness.prompts.ask(), (output, stop) => {
          if (output.kind === 'answer_awaited') stop();
        });
        expect(await answerAfter(turn, 'after a permission')).toBe('after a permission');
      });

      test('does nothing when no turn runs', async () => {
        await process.interrupt();
        const turn = await run(process, harness.prompts.say('unharmed'));
        expect(turn.end.reason).toBe('completed');
      });
    });

    describe('a failure of the model API', () => {
      let process: AgentProcess;
      beforeAll(async () => {
        process = await start(await specOf());
      });
      afterAll(async () => {
        await process.close();
      });

      for (const [status, code] of [
        [400, 'upstream_invalid_request'],
        [401, 'upstream_authentication'],
        [403, 'upstream_permission'],
        [404, 'upstream_not_found'],
        [429, 'upstream_rate_limited'],
        [500, 'upstream_failed'],
        [529, 'upstream_overloaded'],
      ] as const) {
        test(`with status ${status} ends the turn with ${code}`, async () => {
          const turn = await run(process, harness.prompts.fail(status));
          expect(turn.end).toMatchObject({ reason: 'failed', error: { code } });
          expect(turn.end.error?.message).toMatch(/\S/);
          expect(turn.text).toBe('');
          expect(turn.processUsable).toBe(true);
        });
      }

      test('announces each repetition before it waits', async () => {
        const turn = await run(process, harness.prompts.fail(529));
        const notices = turn.outputs.flatMap((output) =>
          output.kind === 'event' && output.body.type === 'session.status_rescheduled'
            ? [output.detail.retry]
            : [],
        );
        expect(notices[0]).toMatchObject({ attempt: 1, status: 529 });
      });

      test('gives a refused credential up at once', async () => {
        const turn = await run(process, harness.prompts.fail(401));
        const repeated = bodies(turn.outputs, 'session.status_rescheduled');
        expect(repeated.length).toBeLessThanOrEqual(1);
      });

      test('is healed by a repetition, which begins a new message', async ({ skip }) => {
        skipIn(skip, 'cut text');
        const turn = await run(process, harness.prompts.cutOnce());
        expect(turn.end.reason).toBe('completed');
        const starts = turn.outputs.filter(
          (output) => output.kind === 'preview' && output.preview.kind === 'message_start',
        );
        expect(starts).toHaveLength(2);
        expect(bodies(turn.outputs, 'span.model_request_end').map((end) => end.is_error)).toEqual([
          true,
          false,
        ]);
        expect(streamedText(turn.outputs)).toBe(turn.text);
      });

      test('leaves the process as good as before', async () => {
        const turn = await run(process, harness.prompts.say('still here'));
        expect(turn.text).toBe('still here');
      });
    });

    describe('the death of a process', () => {
      for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
        test(`by ${signal} ends its turn within a second`, async () => {
          const process = await start(await specOf());
          let killedAt = 0;
          const turn = await run(process, harness.prompts.hang('text'), (output) => {
            if (killedAt > 0 || output.kind !== 'preview' || output.preview.kind !== 'text_delta')
              return;
            killedAt = monotonicMs();
            harness.kill(process, signal);
          });
          expect(monotonicMs() - killedAt).toBeLessThan(DEATH_KNOWN_WITHIN_MS);
          expect(turn.end).toMatchObject({ reason: 'failed', error: { code: 'agent_died' } });
          expect(turn.processUsable).toBe(false);
          const exit = await process.exited;
          expect(exit.reason).toBeUndefined();
          // It may also leave by itself when it is asked to.
          expect(['SIGKILL', null]).toContain(exit.signal === signal ? 'SIGKILL' : exit.signal);
          expect(process.alive).toBe(false);
        });
      }

      test('that was stopped comes when it is destroyed', async ({ skip }) => {
        skipIn(skip, 'stopped');
        const process = await start(await specOf());
        let stopped = false;
        const turn = await run(process, harness.prompts.hang('text'), (output) => {
          if (stopped || output.kind !== 'preview' || output.preview.kind !== 'text_delta') return;
          stopped = true;
          harness.kill(process, 'SIGSTOP');
          void process.destroy('it hung');
        });
        expect(turn.end.error).toMatchObject({
          code: 'agent_died',
          message: expect.stringContaining('it hung'),
        });
        expect(await process.exited).toMatchObject({ reason: 'it hung' });
      });

      test('takes a running tool along', async () => {
        const spec = await specOf();
        const process = await start(spec);
        const turn = await run(process, harness.prompts.hang('tool'), (output) => {
          if (output.kind === 'tool_started') harness.kill(process, 'SIGKILL');
        });
        expect(turn.end.error?.code).toBe('agent_died');
        await process.exited;
        expect(await harness.leftovers(spec.clientId)).toBe(0);
      });

      test('keeps the conversation, the prompt that it cut off included', async () => {
        const spec = await specOf();
        const process = await start(spec);
        await run(process, harness.prompts.recall('before the death'));
        await run(process, harness.prompts.hang('text'), (output) => {
          if (output.kind === 'preview' && output.preview.kind === 'text_delta')
            harness.kill(process, 'SIGKILL');
        });
        await process.exited;
        await harness.discard(spec);
        const next = await specOf({ agentSessionId: spec.agentSessionId, resume: true });
        const turn = await withProcess(next, (resumed) =>
          run(resumed, harness.prompts.recall('after the death')),
        );
        expect(turn.text).toContain('before the death');
      });

      test('lets a later prompt end at once, as not delivered', async () => {
        const process = await start(await specOf());
        await process.close();
        const outcome = await run(process, harness.prompts.say('too late')).then(
          (turn) => turn.end.error?.code,
          (error: RoundhouseError) => error.code,
        );
        expect(outcome).toBe('agent_died');
      });
    });

    describe('a conversation', () => {
      test('goes on in another process, from the store alone', async () => {
        const spec = await specOf();
        await withProcess(spec, async (process) => {
          await run(process, harness.prompts.recall('the first prompt'));
          await run(process, harness.prompts.recall('the second prompt'));
        });
        await harness.discard(spec);
        const next = await specOf({ agentSessionId: spec.agentSessionId, resume: true });
        const turn = await withProcess(next, (process) =>
          run(process, harness.prompts.recall('the third prompt')),
        );
        expect(turn.text).toContain('the first prompt');
        expect(turn.text).toContain('the second prompt');
      });

      test('goes on again after it was resumed', async () => {
        const spec = await specOf();
        await withProcess(spec, (process) =>
          run(process, harness.prompts.recall('in process one')),
        );
        const second = await specOf({ agentSessionId: spec.agentSessionId, resume: true });
        await withProcess(second, (process) =>
          run(process, harness.prompts.recall('in process two')),
        );
        const third = await specOf({ agentSessionId: spec.agentSessionId, resume: true });
        const turn = await withProcess(third, (process) =>
          run(process, harness.prompts.recall('in process three')),
        );
        expect(turn.text).toContain('in process one');
        expect(turn.text).toContain('in process two');
      });

      test('knows nothing of what was loaded ahead of its prompts', async () => {
        const spec = await specOf();
        const { agentSessionId } = spec;
        const entries = async (): Promise<number> =>
          (await harness.transcripts.load({ agentSessionId, subpath: '' })).length;
        await withProcess(spec, async (process) => {
          await process.warmUp?.();
          expect(await entries()).toBe(0);
          await run(process, harness.prompts.recall('the first prompt'));
        });
        const before = await entries();
        const next = await specOf({ agentSessionId, resume: true });
        const turn = await withProcess(next, async (process) => {
          await process.warmUp?.();
          expect(await entries()).toBe(before);
          return run(process, harness.prompts.recall('the second prompt'));
        });
        expect(turn.text).toContain('the first prompt');
      });

      test('counts only its own turn after a resume', async () => {
        const spec = await specOf();
        const first = await withProcess(spec, async (process) => {
          await run(process, harness.prompts.say('one'));
          return run(process, harness.prompts.say('one'));
        });
        const next = await specOf({ agentSessionId: spec.agentSessionId, resume: true });
        const resumed = await withProcess(next, (process) =>
          run(process, harness.prompts.say('one')),
        );
        expect(resumed.end.usage.outputTokens).toBe(first.end.usage.outputTokens);
      });

      test('begins with a history that was brought along', async () => {
        const agentSessionId = randomUUID();
        await harness.driver.seedTranscript(
          agentSessionId,
          [
            { role: 'user', content: 'a seeded question' },
            { role: 'assistant', content: 'a seeded answer' },
            { role: 'user', content: [{ type: 'text', text: 'another seeded question' }] },
            { role: 'assistant', content: [{ type: 'text', text: 'another seeded answer' }] },
          ],
          harness.transcripts,
        );
        const turn = await withProcess(await specOf({ agentSessionId, resume: true }), (process) =>
          run(process, harness.prompts.recall('a real question')),
        );
        expect(turn.text).toContain('a seeded question');
        expect(turn.text).toContain('another seeded question');
      });

      test('forks before a prompt: the fork knows what was before it, and neither hears of the other', async () => {
        const spec = await specOf();
        const { agentSessionId: from } = spec;
        const ids = [randomUUID(), randomUUID(), randomUUID()];
        const asked = (process: AgentProcess, at: number): Promise<TurnOutputs> =>
          run(
            process,
            harness.prompts.recall(`prompt ${at} of the trunk`),
            undefined,
            undefined,
            ids[at],
          );
        await withProcess(spec, async (process) => {
          await asked(process, 0);
          await run(process, harness.prompts.tool('tool-of-the-trunk'));
          await asked(process, 1);
          await asked(process, 2);
        });
        const to = randomUUID();
        const before = [randomUUID(), ids[1] ?? '', ids[2] ?? ''];
        const fork = { from, to, before };
        await harness.driver.forkTranscript({ ...fork, before: [] }, harness.transcripts);
        await harness.driver.forkTranscript(fork, harness.transcripts);

        const goOn = async (agentSessionId: string, what: string): Promise<string> => {
          const next = await specOf({ agentSessionId, resume: true });
          const { text } = await withProcess(next, (process) =>
            run(process, harness.prompts.recall(what)),
          );
          return text;
        };
        const inFork = await goOn(to, 'a prompt of the fork');
        expect(inFork).toContain('prompt 0 of the trunk');
        expect(inFork).not.toContain('prompt 1 of the trunk');
        expect(inFork).not.toContain('prompt 2 of the trunk');
        const stored = await harness.transcripts.load({ agentSessionId: to, subpath: '' });
        expect(JSON.stringify(stored)).not.toContain('prompt 1 of the trunk');
        expect(JSON.stringify(stored)).not.toContain(from);

        const inTrunk = await goOn(from, 'a prompt of the trunk');
        expect(inTrunk).toContain('prompt 2 of the trunk');
        expect(inTrunk).not.toContain('a prompt of the fork');
        expect(await goOn(to, 'another prompt of the fork')).toContain('a prompt of the fork');
      });

      test('forks while its process runs on, with all that it came to', async () => {
        const spec = await specOf();
        const to = randomUUID();
        await withProcess(spec, async (process) => {
          await run(process, harness.prompts.recall('said before the fork'));
          const fork = { from: spec.agentSessionId, to, before: [] };
          await harness.driver.forkTranscript(fork, harness.transcripts);
          const after = await run(process, harness.prompts.recall('said after the fork'));
          expect(after.text).toContain('said before the fork');
        });
        const next = await specOf({ agentSessionId: to, resume: true });
        const { text } = await withProcess(next, (process) =>
          run(process, harness.prompts.recall('said in the fork')),
        );
        expect(text).toContain('said before the fork');
        expect(text).not.toContain('said after the fork');
      });

      test('that is forked before its first prompt begins anew', async () => {
        const spec = await specOf();
        const promptId = randomUUID();
        await withProcess(spec, (process) =>
          run(process, harness.prompts.recall('the first of all'), undefined, undefined, promptId),
        );
        const to = randomUUID();
        const fork = { from: spec.agentSessionId, to, before: [promptId] };
        await harness.driver.forkTranscript(fork, harness.transcripts);
        expect(await harness.transcripts.listSubpaths(to)).toEqual([]);
        const { text } = await withProcess(await specOf({ agentSessionId: to }), (process) =>
          run(process, harness.prompts.recall('the first of the fork')),
        );
        expect(text).not.toContain('the first of all');
      });

      test('takes tool calls, their results and images in a history', async () => {
        const agentSessionId = randomUUID();
        const image = {
          type: 'image',
          source: { type: 'base64', media_type: 'image/png', data: ONE_PIXEL_PNG },
        };
        await harness.driver.seedTranscript(
          agentSessionId,
          [
            {
              role: 'user',
              content: [{ type: 'text', text: 'what is in this picture?' }, image],
            },
            { role: 'assistant', content: 'I shall look.' },
            {
              role: 'assistant',
              content: [
                { type: 'tool_use', id: 'toolu_seed', name: 'Bash', input: { command: 'ls' } },
              ],
            },
            {
              role: 'user',
              content: [{ type: 'tool_result', tool_use_id: 'toolu_seed', content: 'a.txt' }],
            },
            { role: 'assistant', content: 'One pixel, and one file.' },
          ],
          harness.transcripts,
        );
        const turn = await withProcess(await specOf({ agentSessionId, resume: true }), (process) =>
          run(process, harness.prompts.recall('go on')),
        );
        expect(turn.end.reason).toBe('completed');
        expect(turn.text).toContain('what is in this picture?');
      });

      test('survives a store that fails for a while', async ({ skip }) => {
        skipIn(skip, 'stale transcript');
        const transcripts = new FailingTranscripts(harness.transcripts);
        const spec = await specOf({ transcripts });
        const process = await start(spec);
        await run(process, harness.prompts.recall('kept by the store'));
        transcripts.fails = true;
        const lost = await run(process, harness.prompts.recall('lost by the store'));
        transcripts.fails = false;
        const exit = await process.close();
        expect(kindsOf(lost.outputs, ['transcript_stale'])).toEqual(['transcript_stale']);
        expect(exit.transcriptStale).toBe(true);

        await harness.driver.rescueTranscript(
          spec.processFolder,
          spec.agentSessionId,
          harness.transcripts,
        );
        await harness.discard(spec);
        const next = await specOf({ agentSessionId: spec.agentSessionId, resume: true });
        const turn = await withProcess(next, (resumed) =>
          run(resumed, harness.prompts.recall('after the rescue')),
        );
        expect(turn.text).toContain('kept by the store');
        expect(turn.text).toContain('lost by the store');
      });
    });

    describe('a start', () => {
      test('names a workspace that does not exist', async ({ skip }) => {
        skipIn(skip, 'workspace');
        const spec = { ...(await specOf()), workspace: '/nonexistent/workspace' };
        await expect(start(spec)).rejects.toMatchObject({
          code: 'session_connection_failed',
          message: expect.stringContaining('/nonexistent/workspace'),
        });
      });

      test('names an executable that does not exist', async ({ skip }) => {
        skipIn(skip, 'executable');
        const driver = harness.driverWithoutExecutable;
        const spec = await specOf();
        await expect(driver?.start(spec, new AbortController().signal)).rejects.toMatchObject({
          code: 'agent_unavailable',
        });
      });

      test('refuses to resume what was never written', async () => {
        const spec = await specOf({ resume: true });
        await expect(start(spec)).rejects.toMatchObject({ code: 'session_connection_failed' });
      });

      test('that is given up leaves nothing behind', async () => {
        const spec = await specOf();
        const controller = new AbortController();
        const starting = start(spec, controller.signal);
        controller.abort(new Error('changed my mind'));
        await expect(starting).rejects.toBeInstanceOf(Error);
        expect(await harness.leftovers(spec.clientId)).toBe(0);
      });

      test('that was given up before it began does nothing', async () => {
        const spec = await specOf();
        await expect(start(spec, AbortSignal.abort(new Error('never')))).rejects.toBeInstanceOf(
          Error,
        );
        expect(await harness.leftovers(spec.clientId)).toBe(0);
      });
    });

    describe('a process whose folder comes late', () => {
      const UNBOUND_REFUSES = 'internal';

      beforeEach(({ skip }) => {
        if (!harness.driver.capabilities.lateWorkspace) skip('the driver says that it has none');
      });

      test('works in the folder that it is given, and is asked for like any other', async () => {
        const { process, workspace, spec } = await startUnbound();
        expect(process.alive).toBe(true);
        await bind(process, workspace);
        const turn = await run(process, harness.prompts.where());
        const [result] = bodies(turn.outputs, 'agent.tool_result');
        expect(JSON.stringify(result?.content)).toContain(workspace);
        answerer.behavior = 'deny';
        const denied = await run(process, harness.prompts.ask());
        expect(JSON.stringify(bodies(denied.outputs, 'agent.tool_result'))).toContain(
          'The policy says no.',
        );
        expect(answerer.requests.at(-1)?.sessionId).toBe(spec.sessionId);
        expect((await process.close()).transcriptStale).toBe(false);
      });

      test('hands its conversation on to the next process', async () => {
        const { process, workspace, spec } = await startUnbound();
        await bind(process, workspace);
        await run(process, harness.prompts.recall('said to the first'));
        await process.close();
        await harness.discard(spec);
        const { agentSessionId } = spec;
        const next = { ...(await specOf({ agentSessionId, resume: true })), workspace };
        const turn = await withProcess(next, (resumed) =>
          run(resumed, harness.prompts.recall('said to the second')),
        );
        expect(turn.text).toContain('said to the first');
      });

      test('uses the model of its turn', async () => {
        const { process, workspace } = await startUnbound();
        await bind(process, workspace);
        const other = await run(process, harness.prompts.say('a'), undefined, harness.otherModel);
        expect(modelsOf(other.outputs)).toEqual([harness.otherModel]);
        await process.close();
      });

      test('refuses a folder that does not exist, and is gone', async ({ skip }) => {
        skipIn(skip, 'workspace');
        const { process, workspace, spec } = await startUnbound();
        const missing = `${workspace}/missing`;
        await expect(bind(process, missing)).rejects.toMatchObject({
          code: 'session_connection_failed',
          message: expect.stringContaining(missing),
        });
        expect(process.alive).toBe(false);
        expect((await process.exited).reason).toBe('workspace_refused');
        expect(await harness.leftovers(spec.clientId)).toBe(0);
      });

      test('that is not waited for any longer is gone', async () => {
        const { process, workspace, spec } = await startUnbound();
        const given = AbortSignal.abort(new Error('too slow'));
        await expect(process.bind({ workspace }, given)).rejects.toMatchObject({
          code: 'session_connection_failed',
        });
        expect(process.alive).toBe(false);
        expect(await harness.leftovers(spec.clientId)).toBe(0);
      });

      test('takes no prompt before, and no second folder after', async () => {
        const { process, workspace } = await startUnbound();
        const refused = { code: UNBOUND_REFUSES };
        await expect(run(process, harness.prompts.say('early'))).rejects.toMatchObject(refused);
        await bind(process, workspace);
        await expect(bind(process, workspace)).rejects.toMatchObject(refused);
        expect((await run(process, harness.prompts.say('in time'))).text).toBe('in time');
        await process.close();
      });

      test('that nobody takes ends in good order, also while it is being given one', async () => {
        const parked = await startUnbound();
        expect((await parked.process.close()).reason).toBe('closed');
        const bound = await startUnbound();
        const binding = bind(bound.process, bound.workspace).then(
          () => 'bound',
          () => 'refused',
        );
        await bound.process.close();
        expect(await binding).toBe('refused');
        for (const { spec } of [parked, bound])
          expect(await harness.leftovers(spec.clientId)).toBe(0);
      });

      test('that dies unasked says so', async ({ skip }) => {
        skipIn(skip, 'dies unbound');
        const { process, workspace } = await startUnbound();
        harness.kill(process, 'SIGKILL');
        const exit = await process.exited;
        expect(exit).toMatchObject({ signal: 'SIGKILL', transcriptStale: false });
        expect(exit.reason).toBeUndefined();
        await expect(bind(process, workspace)).rejects.toMatchObject({ code: UNBOUND_REFUSES });
      });
    });

    describe('the end of a process', () => {
      test('in good order may be asked for twice', async () => {
        const process = await start(await specOf());
        const [first, second] = await Promise.all([process.close(), process.close()]);
        expect(second).toEqual(first);
        expect(await process.close()).toEqual(first);
        expect(first.transcriptStale).toBe(false);
        expect(process.alive).toBe(false);
      });

      test('by force may be asked for twice; the first reason wins', async () => {
        const process = await start(await specOf());
        const exits = await Promise.all([process.destroy('first'), process.destroy('second')]);
        expect(exits.map((exit) => exit.reason)).toEqual(['first', 'first']);
        expect(await process.destroy('third')).toEqual(exits[0]);
      });

      test('in good order and by force may be asked for together', async () => {
        const process = await start(await specOf());
        const [closed, destroyed] = await Promise.all([process.close(), process.destroy('hurry')]);
        expect(destroyed).toEqual(closed);
      });

      test('in the middle of a turn ends the turn', async () => {
        const process = await start(await specOf());
        let asked = false;
        const turn = await run(process, harness.prompts.hang('text'), (output) => {
          if (asked || output.kind !== 'preview' || output.preview.kind !== 'text_delta') return;
          asked = true;
          void process.destroy('evicted');
        });
        expect(turn.end.error?.code).toBe('agent_died');
        expect(turn.processUsable).toBe(false);
      });

      test('leaves no process with its mark', async () => {
        const counts = await Promise.all(used.map((clientId) => harness.leftovers(clientId)));
        // Those of the groups above are closed by now.
        expect(counts.filter((count) => count > 0)).toEqual([]);
      });
    });
  });
}

const ONE_PIXEL_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

function prompt(text: string): { promptId: string; content: { type: 'text'; text: string }[] } {
  return { promptId: randomUUID(), content: [{ type: 'text', text }] };
}

/** Runs one turn to its end and checks what holds for every turn. `watch` sees each output, and may interrupt once. */
async function run(
  process: AgentProcess,
  text: string,
  watch?: (output: AgentOutput, interrupt: () => void) => void,
  model?: string,
  promptId?: string,
): Promise<TurnOutputs> {
  const outputs: AgentOutput[] = [];
  let interrupting: Promise<void> | undefined;
  const interrupt = (): void => {
    interrupting ??= process.interrupt();
  };
  for await (const batch of process.prompt({
    ...prompt(text),
    ...(model === undefined ? {} : { model }),
    ...(promptId === undefined ? {} : { promptId }),
  })) {
    expect(batch.length, 'what is handed over is never empty').toBeGreaterThan(0);
    for (const output of batch) {
      outputs.push(output);
      watch?.(output, interrupt);
    }
  }
  await interrupting;
  checkOrder(outputs);
  return outcomeOf(outputs);
}

function outcomeOf(outputs: readonly AgentOutput[]): TurnOutputs {
  const last = outputs.at(-1);
  if (last?.kind !== 'ended') throw new Error('The turn has no end.');
  const { end, processUsable } = last;
  const message = bodies(outputs, 'agent.message')
    .flatMap((body) => body.content)
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('');
  return { outputs, end, processUsable, text: message };
}

function openCallsOf(
  { driver }: AgentDriverHarness,
  { agentSessionId, transcripts }: AgentSpec,
  neverHanded: readonly string[],
) {
  return driver.openCalls(agentSessionId, transcripts, neverHanded);
}

/** What a client's tool has found. */
function found(text: string, isError = false): CallAnswer {
  return { behavior: 'result', result: { content: [{ type: 'text', text }], isError } };
}

/** A client that answers all calls, and not in their order. */
function answerAll(decide: (id: string, place: number) => CallAnswer) {
  return (ids: readonly string[], process: AgentProcess): void => {
    for (const [place, id] of [...ids.entries()].toReversed())
      process.answer(id, decide(id, place));
  };
}

/** Reads a turn of which a client answers the calls to its end. */
async function read(
  batches: AsyncIterable<readonly AgentOutput[]>,
  process: AgentProcess,
  asked: (toolUseIds: readonly string[], process: AgentProcess) => void = () => {},
  watch: (output: AgentOutput, process: AgentProcess) => void = () => {},
): Promise<TurnOutputs> {
  const outputs: AgentOutput[] = [];
  for await (const batch of batches) {
    for (const output of batch) {
      outputs.push(output);
      watch(output, process);
      if (output.kind === 'answers_awaited') asked(output.toolUseIds, process);
    }
  }
  checkOrder(outputs);
  return outcomeOf(outputs);
}

/** Gives a process its folder. */
function bind(process: AgentProcess, workspace: string): Promise<void> {
  return process.bind({ workspace }, new AbortController().signal);
}

/** Runs a turn as soon as the process takes one. */
async function whenFree(process: AgentProcess, text: string): Promise<TurnOutputs> {
  for (;;) {
    try {
      return await run(process, text);
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** The rules of order that hold for every turn of every driver. */
function checkOrder(outputs: readonly AgentOutput[]): void {
  const ends = outputs.filter((output) => output.kind === 'ended');
  expect(ends, 'a turn has exactly one end').toHaveLength(1);
  expect(outputs.at(-1)?.kind, 'the end is the last output').toBe('ended');
  const speaking = outputs.filter(
    (output) => output.kind !== 'ended' && output.kind !== 'transcript_stale',
  );
  if (speaking.length > 0) expect(speaking[0]?.kind, 'the prompt is taken first').toBe('accepted');

  const completed = new Set<string>();
  const open = new Set<string>();
  const promised = new Map<string, string>();
  const running = new Set<string>();
  const requests = new Set<string>();
  for (const output of outputs) {
    if (output.kind === 'preview' && output.preview.kind !== 'message_start') {
      const { kind, messageId, index } = output.preview;
      const block = `${messageId}/${index}`;
      expect(completed.has(block), `no preview of ${block} after its record`).toBe(false);
      if (kind === 'block_start') {
        open.add(block);
        promised.set(block, output.preview.eventId);
      } else expect(open.has(block), `${kind} of ${block} within the block`).toBe(true);
      if (kind === 'block_stop') open.delete(block);
    }
    if (output.kind === 'event' && output.detail.blockIndex !== undefined) {
      const block = `${output.detail.modelMessageId}/${output.detail.blockIndex}`;
      expect(open.has(block), `${block} has stopped before its record`).toBe(false);
      expect(output.body.id, `the record of ${block} has the id that its preview told`).toBe(
        promised.get(block),
      );
      completed.add(block);
    }
    if (output.kind === 'event' && output.body.type === 'span.model_request_start')
      requests.add(output.body.id);
    if (output.kind === 'event' && output.body.type === 'span.model_request_end')
      expect(requests.delete(output.body.model_request_start_id)).toBe(true);
    if (output.kind === 'tool_started') running.add(output.toolUseId);
    if (output.kind === 'tool_finished') expect(running.delete(output.toolUseId)).toBe(true);
  }
  expect(requests.size, 'every model request has its end').toBe(0);
}

type BodyOf<T> = Extract<Extract<AgentOutput, { kind: 'event' }>['body'], { type: T }>;

function bodies<T extends Extract<AgentOutput, { kind: 'event' }>['body']['type']>(
  outputs: readonly AgentOutput[],
  type: T,
): BodyOf<T>[] {
  const isWanted = (body: { type: string }): body is BodyOf<T> => body.type === type;
  return outputs.flatMap((output) =>
    output.kind === 'event' && isWanted(output.body) ? [output.body] : [],
  );
}

function kindsOf(outputs: readonly AgentOutput[], kinds: readonly string[]): string[] {
  return outputs.map((output) => output.kind).filter((kind) => kinds.includes(kind));
}

/** The text of the previews after the last start of a message, as a reader would have it on the screen. */
function streamedText(outputs: readonly AgentOutput[]): string {
  let text = '';
  for (const output of outputs) {
    if (output.kind !== 'preview') continue;
    if (output.preview.kind === 'message_start') text = '';
    if (output.preview.kind === 'text_delta') text += output.preview.text;
  }
  return text;
}

function modelsOf(outputs: readonly AgentOutput[]): string[] {
  return outputs.flatMap((output) =>
    output.kind === 'preview' && output.preview.kind === 'message_start'
      ? [output.preview.model]
      : [],
  );
}
