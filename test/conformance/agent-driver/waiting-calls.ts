import { describe, expect, test } from 'vitest';
import type { AgentOptions, AgentProcess, AgentSpec } from '../../../src/contracts/agent-driver.ts';
import type { PermissionDecision } from '../../../src/contracts/answerer.ts';
import { answerAll, openCallsOf } from './client-answers.ts';
import type { DriverStage } from './driver-stage.ts';
import { prompt, run, read } from './run-turn.ts';
import { bodies, kindsOf } from './turn-outputs.ts';

/** Calls that wait for leave, over the ends of their processes too. */
export function describeWaitingCalls(stage: DriverStage): void {
  describe('a call that waits for its client', () => {
    const ASKS: AgentOptions = { askFirst: ['Bash'] };
    const ALLOW = { behavior: 'allow' } as const;
    const DENY = { behavior: 'deny', message: 'Not this one.' } as const;
    /** A process that waits with the calls of the first message, and has said so. */
    async function waiting(...messages: string[][]) {
      const spec = await stage.specOf({ options: ASKS });
      const process = await stage.start(spec);
      const asked = Promise.withResolvers<readonly string[]>();
      const prompted = prompt(stage.harness.prompts.mark(...messages));
      const turn = read(process.prompt({ ...prompted, answers: 'client' }), process, asked.resolve);
      return { spec, process, turn, ids: await asked.promise };
    }

    /** A process that goes on with the first open call of an earlier one. */
    async function takingUp(
      spec: AgentSpec,
      decision: PermissionDecision,
      neverHanded: readonly string[],
    ): Promise<AgentProcess> {
      const [call, ...more] = await openCallsOf(stage.harness, spec, [...neverHanded]);
      if (call === undefined) throw new Error('No call is open.');
      const { agentSessionId, workspace } = spec;
      const next = await stage.specOf({ agentSessionId, resume: true, options: ASKS });
      const last = more.length === 0;
      const takeUp = { call, eventId: 'sevt_asked', decision, neverHanded, last };
      return stage.start({ ...next, ...(workspace !== undefined && { workspace }), takeUp });
    }

    test('is not carried out before it is allowed, and then once', async () => {
      const { spec, process, turn, ids } = await waiting(['a']);
      expect(await stage.harness.marks(spec)).toEqual([]);
      expect(
        (await openCallsOf(stage.harness, spec, [])).map(({ toolUseId }) => toolUseId),
      ).toEqual(ids);
      process.answer(ids[0] ?? '', ALLOW);
      const { end, outputs, text } = await turn;
      expect([end.reason, text]).toEqual(['completed', 'done']);
      expect(await stage.harness.marks(spec)).toEqual(['a']);
      expect(bodies(outputs, 'agent.tool_use')).toMatchObject([{ evaluated_permission: 'ask' }]);
      expect(bodies(outputs, 'agent.tool_result')).toMatchObject([{ is_error: false }]);
      await process.close();
    });

    test('is not carried out when it is denied, and the model is told why', async () => {
      const { spec, process, turn, ids } = await waiting(['a']);
      process.answer(ids[0] ?? '', DENY);
      const { end, outputs } = await turn;
      expect(end.reason).toBe('completed');
      expect(await stage.harness.marks(spec)).toEqual([]);
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
      expect(await stage.harness.marks(spec)).toEqual(['a', 'c']);
      expect(kindsOf(outputs, ['answers_awaited'])).toHaveLength(1);
      await process.close();
    });

    test('says that its client is asked also where the agent itself wants to ask, and not the options', async () => {
      const process = await stage.start(await stage.specOf());
      const { end, outputs } = await read(
        process.prompt({ ...prompt(stage.harness.prompts.ask()), answers: 'client' }),
        process,
        answerAll(() => DENY),
      );
      expect(end.reason).toBe('completed');
      expect(bodies(outputs, 'agent.tool_use')).toMatchObject([{ evaluated_permission: 'ask' }]);
      expect(kindsOf(outputs, ['answers_awaited'])).toHaveLength(1);
      await process.close();
    });

    test('may be followed by another one', async () => {
      const spec = await stage.specOf({ options: ASKS });
      const process = await stage.start(spec);
      const prompted = prompt(stage.harness.prompts.mark(['a'], ['b']));
      const { end, outputs } = await read(
        process.prompt({ ...prompted, answers: 'client' }),
        process,
        answerAll(() => ALLOW),
      );
      expect(end.reason).toBe('completed');
      expect(kindsOf(outputs, ['answers_awaited'])).toHaveLength(2);
      expect(await stage.harness.marks(spec)).toEqual(['a', 'b']);
      await process.close();
    });

    test('is denied at once where nobody answers', async () => {
      stage.answerer.behavior = 'deny';
      const spec = await stage.specOf({ options: ASKS });
      const turn = await stage.withProcess(spec, (process) =>
        run(process, stage.harness.prompts.mark(['a'])),
      );
      expect(turn.end.reason).toBe('completed');
      expect(kindsOf(turn.outputs, ['answers_awaited'])).toEqual([]);
      const [result] = bodies(turn.outputs, 'agent.tool_result');
      expect(JSON.stringify(result?.content)).toContain('The policy says no.');
      expect(bodies(turn.outputs, 'agent.tool_use')).toMatchObject([
        { evaluated_permission: 'deny' },
      ]);
      expect(await stage.harness.marks(spec)).toEqual([]);
    });

    test('ends with an interrupt, and the next prompt works', async () => {
      const { spec, process, turn } = await waiting(['a', 'b']);
      await process.interrupt();
      expect((await turn).end.reason).toBe('interrupted');
      expect((await run(process, stage.harness.prompts.say('after it'))).text).toBe('after it');
      expect(await openCallsOf(stage.harness, spec, [])).toEqual([]);
      expect(await stage.harness.marks(spec)).toEqual([]);
      await process.close();
    });

    for (const [how, end] of [
      ['is closed', (process: AgentProcess) => process.close()],
      ['is destroyed', (process: AgentProcess) => process.destroy('evicted')],
      [
        'is killed',
        (process: AgentProcess) => {
          stage.harness.kill(process, 'SIGKILL');
          return process.exited;
        },
      ],
    ] as const) {
      test(`outlives its process that ${how}: another one carries it out, once`, async () => {
        const { spec, process, turn, ids } = await waiting(['a']);
        await end(process);
        expect((await turn).end.error?.code).toBe('agent_died');
        await stage.harness.discard(spec);
        const next = await takingUp(spec, ALLOW, ids);
        const taken = await read(next.takeUp('client'), next);
        expect([taken.end.reason, taken.text]).toEqual(['completed', 'done']);
        expect(await stage.harness.marks(spec)).toEqual(['a']);
        expect(bodies(taken.outputs, 'agent.tool_result')).toMatchObject([
          { tool_use_id: 'sevt_asked', is_error: false },
        ]);
        expect(bodies(taken.outputs, 'agent.tool_use')).toEqual([]);
        expect((await run(next, stage.harness.prompts.say('and on'))).text).toBe('and on');
        expect(await stage.harness.marks(spec)).toEqual(['a']);
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
      expect(await stage.harness.marks(spec)).toEqual(['a', 'c']);
      const { agentSessionId } = spec;
      const last = await stage.specOf({ agentSessionId, resume: true, options: ASKS });
      const after = await stage.withProcess(last, (resumed) =>
        run(resumed, stage.harness.prompts.say('after all')),
      );
      expect(after.text).toBe('after all');
      expect(await stage.harness.marks(spec)).toEqual(['a', 'c']);
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
      expect(await stage.harness.marks(spec)).toEqual(['a', 'b']);
      await next.close();
    });

    test('is not carried out by a process that resumes for another prompt', async () => {
      const { spec, process, turn } = await waiting(['a', 'b']);
      await process.destroy('evicted');
      await turn;
      const { agentSessionId, workspace } = spec;
      const next = await stage.specOf({ agentSessionId, resume: true, options: ASKS });
      const after = await stage.withProcess(
        { ...next, ...(workspace !== undefined && { workspace }) },
        (resumed) => run(resumed, stage.harness.prompts.say('something else')),
      );
      expect(after.text).toBe('something else');
      expect(await stage.harness.marks(spec)).toEqual([]);
    });

    test('is not taken up twice', async () => {
      const { spec, process, turn, ids } = await waiting(['a']);
      await process.close();
      await turn;
      const [call] = await openCallsOf(stage.harness, spec, [...ids]);
      const next = await takingUp(spec, ALLOW, ids);
      await read(next.takeUp('client'), next);
      await next.close();
      expect(await openCallsOf(stage.harness, spec, [])).toEqual([]);
      if (call === undefined) throw new Error('No call was open.');
      const { agentSessionId } = spec;
      const again = await stage.specOf({ agentSessionId, resume: true, options: ASKS });
      const takeUp = { call, eventId: 'e', decision: ALLOW, neverHanded: [], last: true };
      await expect(stage.start({ ...again, takeUp })).rejects.toMatchObject({
        code: 'session_connection_failed',
      });
      expect(await stage.harness.marks(spec)).toEqual(['a']);
    });
  });
}
