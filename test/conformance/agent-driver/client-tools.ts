import { describe, expect, test } from 'vitest';
import type {
  AgentOptions,
  AgentOutput,
  AgentProcess,
} from '../../../src/contracts/agent-driver.ts';
import { found, openCallsOf } from './client-answers.ts';
import type { DriverStage } from './driver-stage.ts';
import { prompt, read, run } from './run-turn.ts';
import { bodies, kindsOf } from './turn-outputs.ts';

/** Tools that live with the client. */
export function describeClientTools(stage: DriverStage): void {
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
      const spec = await stage.specOf({ options: LOOKS });
      const process = await stage.start(spec);
      const prompted = {
        ...prompt(stage.harness.prompts.lookUp(...keys)),
        answers: 'client' as const,
      };
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
      expect((await run(process, stage.harness.prompts.say('after it'))).text).toBe('after it');
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
      const turn = await stage.withProcess(await stage.specOf({ options: LOOKS }), (process) =>
        run(process, stage.harness.prompts.lookUp('a')),
      );
      expect(turn.end.reason).toBe('completed');
      expect(stage.answerer.calls.at(-1)).toMatchObject({
        toolName: 'look_up',
        input: { key: 'a' },
      });
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
      expect((await run(process, stage.harness.prompts.say('after it'))).text).toBe('after it');
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
      await stage.harness.discard(spec);
      const { agentSessionId } = spec;
      let said = '';
      for (const [place, text] of ['in a', 'in b'].entries()) {
        const neverHanded = ids.slice(place);
        const [call] = await openCallsOf(stage.harness, spec, [...neverHanded]);
        if (call === undefined) throw new Error('No call is open.');
        const last = place === 1;
        const decision = found(text);
        const takeUp = { call, eventId: 'sevt_asked', decision, neverHanded, last };
        const next = await stage.specOf({ agentSessionId, resume: true, options: LOOKS });
        const taken = await stage.withProcess({ ...next, takeUp }, (process) =>
          read(process.takeUp('client'), process),
        );
        expect(taken.end.reason).toBe('completed');
        expect(bodies(taken.outputs, 'agent.tool_result')).toEqual([]);
        expect(kindsOf(taken.outputs, ['answers_awaited'])).toEqual([]);
        said = taken.text;
      }
      expect(said).toBe('done');
      expect(await openCallsOf(stage.harness, spec, [])).toEqual([]);
    });
  });
}
