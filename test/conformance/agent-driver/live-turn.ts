import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentProcess } from '../../../src/contracts/agent-driver.ts';
import type { DriverStage } from './driver-stage.ts';
import { prompt, run, whenFree } from './run-turn.ts';
import { bodies, kindsOf, streamedText, modelsOf } from './turn-outputs.ts';

/** A turn on a process that is there. */
export function describeLiveTurn(stage: DriverStage): void {
  describe('a turn on a live process', () => {
    let process: AgentProcess;
    beforeAll(async () => {
      process = await stage.start(await stage.specOf());
    });
    afterAll(async () => {
      await process.close();
    });

    test('gives a text in pieces and then as a record', async () => {
      const turn = await run(process, stage.harness.prompts.say('one two three'));
      expect(turn.end).toMatchObject({ reason: 'completed', stopReason: 'end_turn' });
      expect(turn.text).toBe('one two three');
      expect(streamedText(turn.outputs)).toBe('one two three');
      expect(turn.processUsable).toBe(true);
    });

    test('counts what it stage.used', async () => {
      const turn = await run(process, stage.harness.prompts.say('hello'));
      expect(turn.end.modelRequests).toBe(1);
      expect(turn.end.usage.inputTokens).toBeGreaterThan(0);
      expect(turn.end.usage.outputTokens).toBeGreaterThan(0);
    });

    test('brackets each model request with two records', async () => {
      const turn = await run(process, stage.harness.prompts.say('hello'));
      const [begin, ...more] = bodies(turn.outputs, 'span.model_request_start');
      const [end] = bodies(turn.outputs, 'span.model_request_end');
      expect(more).toEqual([]);
      expect(end).toMatchObject({ model_request_start_id: begin?.id, is_error: false });
    });

    test('shows thinking with its text, before the answer', async () => {
      const turn = await run(process, stage.harness.prompts.think());
      const kinds = turn.outputs.flatMap((output) =>
        output.kind === 'event' && output.body.type.startsWith('agent.') ? [output.body.type] : [],
      );
      expect(kinds.slice(0, 2)).toEqual(['agent.thinking', 'agent.message']);
      const thinking = turn.outputs.find(
        (output) => output.kind === 'event' && output.body.type === 'agent.thinking',
      );
      expect(thinking).toHaveProperty('detail.thinking', expect.stringMatching(/\S/));
    });

    test('runs a tool and refers from its result to its call', async () => {
      const turn = await run(process, stage.harness.prompts.tool('tool-output-42'));
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
      stage.answerer.behavior = 'deny';
      const turn = await run(process, stage.harness.prompts.ask());
      const [result] = bodies(turn.outputs, 'agent.tool_result');
      expect(result?.is_error).toBe(true);
      expect(JSON.stringify(result?.content)).toContain('The policy says no.');
      expect(kindsOf(turn.outputs, ['answer_awaited', 'answer_given'])).toEqual([
        'answer_awaited',
        'answer_given',
      ]);
      expect(turn.end.reason).toBe('completed');
    });

    test('asks the stage.answerer with the session, the tool and its input', async () => {
      stage.answerer.behavior = 'deny';
      const before = stage.answerer.requests.length;
      const turn = await run(process, stage.harness.prompts.ask());
      const [use] = bodies(turn.outputs, 'agent.tool_use');
      expect(stage.answerer.requests.slice(before)).toEqual([
        expect.objectContaining({
          sessionId: expect.stringMatching(/^sesn_/),
          toolName: use?.name,
          // Its values may be spelt otherwise: the agent makes paths absolute before it asks.
          input: expect.objectContaining({}),
        }),
      ]);
    });

    test('counts an stage.answerer that fails as a denial, and keeps the reason to itself', async () => {
      stage.answerer.behavior = 'throw';
      const turn = await run(process, stage.harness.prompts.ask());
      const [result] = bodies(turn.outputs, 'agent.tool_result');
      expect(result?.is_error).toBe(true);
      expect(JSON.stringify(turn.outputs)).not.toContain('secret detail');
    });

    test('refuses a second prompt before the first has ended', async () => {
      const first = run(process, stage.harness.prompts.hang('first-token'), (output, stop) => {
        if (output.kind === 'preview') stop();
      });
      await expect(run(process, stage.harness.prompts.say('too early'))).rejects.toHaveProperty(
        'code',
      );
      expect((await first).end.reason).toBe('interrupted');
    });

    test('goes on when its reader leaves', async () => {
      for await (const outputs of process.prompt(prompt(stage.harness.prompts.say('unread')))) {
        if (outputs.some(({ kind }) => kind === 'accepted')) break;
      }
      // The turn that nobody reads any more ends by itself; only then is the next one taken.
      const next = await whenFree(process, stage.harness.prompts.recall('after the unread'));
      expect(next.text).toContain('after the unread');
    });

    test('uses another model for one turn only', async () => {
      const other = await run(
        process,
        stage.harness.prompts.say('a'),
        undefined,
        stage.harness.otherModel,
      );
      const usual = await run(process, stage.harness.prompts.say('b'));
      expect(modelsOf(other.outputs)).toEqual([stage.harness.otherModel]);
      expect(modelsOf(usual.outputs)).not.toContain(stage.harness.otherModel);
    });

    test('gives a huge answer whole and in order', async () => {
      const pieces = 20_000;
      const turn = await run(process, stage.harness.prompts.pieces(pieces));
      const deltas = turn.outputs.filter(
        (output) => output.kind === 'preview' && output.preview.kind === 'text_delta',
      );
      expect(deltas).toHaveLength(pieces);
      expect(streamedText(turn.outputs)).toBe(turn.text);
    });

    test('tells its memory, where there is a process of the system', async () => {
      const bytes = await process.memoryBytes();
      const plausible = process.pid === undefined ? bytes === undefined : (bytes ?? 0) > 10_000_000;
      expect(plausible, `${bytes} bytes`).toBe(true);
    });
  });
}
