import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentProcess } from '../../../src/contracts/agent-driver.ts';
import type { DriverStage } from './driver-stage.ts';
import { run } from './run-turn.ts';
import type { TurnOutputs } from './turn-outputs.ts';
import { streamedText } from './turn-outputs.ts';

/** What an interrupt does, in each phase of a turn. */
export function describeInterrupts(stage: DriverStage): void {
  describe('an interrupt', () => {
    let process: AgentProcess;
    beforeAll(async () => {
      process = await stage.start(await stage.specOf());
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
      const after = await run(process, stage.harness.prompts.say(next));
      expect(after.end.reason).toBe('completed');
      return after.text;
    }

    test('ends a turn before its prompt was even taken', async () => {
      const reading = run(process, stage.harness.prompts.hang('first-token'));
      await process.interrupt();
      expect(await answerAfter(await reading, 'after an early interrupt')).toBe(
        'after an early interrupt',
      );
    });

    test('ends a turn whose model has not said anything yet', async () => {
      const turn = await run(process, stage.harness.prompts.hang('first-token'), (output, stop) => {
        if (output.kind === 'preview') stop();
      });
      expect(await answerAfter(turn, 'after silence')).toBe('after silence');
    });

    test('ends a turn in the middle of a text, and keeps what was shown', async () => {
      const turn = await run(process, stage.harness.prompts.hang('text'), (output, stop) => {
        if (output.kind === 'preview' && output.preview.kind === 'text_delta') stop();
      });
      expect(streamedText(turn.outputs)).not.toBe('');
      expect(await answerAfter(turn, 'after a text')).toBe('after a text');
    });

    test('ends a turn while a tool runs', async () => {
      const turn = await run(process, stage.harness.prompts.hang('tool'), (output, stop) => {
        if (output.kind === 'tool_started') stop();
      });
      expect(await answerAfter(turn, 'after a tool')).toBe('after a tool');
    });

    test('ends a turn that waits for a permission', async () => {
      stage.answerer.behavior = 'never';
      const turn = await run(process, stage.harness.prompts.ask(), (output, stop) => {
        if (output.kind === 'answer_awaited') stop();
      });
      expect(await answerAfter(turn, 'after a permission')).toBe('after a permission');
    });

    test('does nothing when no turn runs', async () => {
      await process.interrupt();
      const turn = await run(process, stage.harness.prompts.say('unharmed'));
      expect(turn.end.reason).toBe('completed');
    });
  });
}
