import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentProcess } from '../../../src/contracts/agent-driver.ts';
import type { DriverStage } from './driver-stage.ts';
import { run } from './run-turn.ts';
import { bodies, streamedText } from './turn-outputs.ts';

/** What becomes of a turn whose model fails. */
export function describeModelFailures(stage: DriverStage): void {
  describe('a failure of the model API', () => {
    let process: AgentProcess;
    beforeAll(async () => {
      process = await stage.start(await stage.specOf());
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
        const turn = await run(process, stage.harness.prompts.fail(status));
        expect(turn.end).toMatchObject({ reason: 'failed', error: { code } });
        expect(turn.end.error?.message).toMatch(/\S/);
        expect(turn.text).toBe('');
        expect(turn.processUsable).toBe(true);
      });
    }

    test('announces each repetition before it waits', async () => {
      const turn = await run(process, stage.harness.prompts.fail(529));
      const notices = turn.outputs.flatMap((output) =>
        output.kind === 'event' && output.body.type === 'session.status_rescheduled'
          ? [output.detail.retry]
          : [],
      );
      expect(notices[0]).toMatchObject({ attempt: 1, status: 529 });
    });

    test('gives a refused credential up at once', async () => {
      const turn = await run(process, stage.harness.prompts.fail(401));
      const repeated = bodies(turn.outputs, 'session.status_rescheduled');
      expect(repeated.length).toBeLessThanOrEqual(1);
    });

    test('is healed by a repetition, which begins a new message', async ({ skip }) => {
      stage.skipIn(skip, 'cut text');
      const turn = await run(process, stage.harness.prompts.cutOnce());
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
      const turn = await run(process, stage.harness.prompts.say('still here'));
      expect(turn.text).toBe('still here');
    });
  });
}
