import { describe, expect, test } from 'vitest';
import type { RoundhouseError } from '../../../src/errors.ts';
import { monotonicMs } from '../../../src/time/clock.ts';
import type { DriverStage } from './driver-stage.ts';
import { run } from './run-turn.ts';

/** How soon the reader of a turn must know that its process has died. */
const DEATH_KNOWN_WITHIN_MS = 1_000;

/** Processes that end unasked. */
export function describeDeaths(stage: DriverStage): void {
  describe('the death of a process', () => {
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
      test(`by ${signal} ends its turn within a second`, async () => {
        const process = await stage.start(await stage.specOf());
        let killedAt = 0;
        const turn = await run(process, stage.harness.prompts.hang('text'), (output) => {
          if (killedAt > 0 || output.kind !== 'preview' || output.preview.kind !== 'text_delta')
            return;
          killedAt = monotonicMs();
          stage.harness.kill(process, signal);
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

    test('that was stopped comes when it is destroyed', async () => {
      const process = await stage.start(await stage.specOf());
      let stopped = false;
      const turn = await run(process, stage.harness.prompts.hang('text'), (output) => {
        if (stopped || output.kind !== 'preview' || output.preview.kind !== 'text_delta') return;
        stopped = true;
        stage.harness.kill(process, 'SIGSTOP');
        void process.destroy('it hung');
      });
      expect(turn.end.error).toMatchObject({
        code: 'agent_died',
        message: expect.stringContaining('it hung'),
      });
      expect(await process.exited).toMatchObject({ reason: 'it hung' });
    });

    test('takes a running tool along', async () => {
      const spec = await stage.specOf();
      const process = await stage.start(spec);
      const turn = await run(process, stage.harness.prompts.hang('tool'), (output) => {
        if (output.kind === 'tool_started') stage.harness.kill(process, 'SIGKILL');
      });
      expect(turn.end.error?.code).toBe('agent_died');
      await process.exited;
      expect(await stage.harness.leftovers(spec.clientId)).toBe(0);
    });

    test('keeps the conversation, the prompt that it cut off included', async () => {
      const spec = await stage.specOf();
      const process = await stage.start(spec);
      await run(process, stage.harness.prompts.recall('before the death'));
      await run(process, stage.harness.prompts.hang('text'), (output) => {
        if (output.kind === 'preview' && output.preview.kind === 'text_delta')
          stage.harness.kill(process, 'SIGKILL');
      });
      await process.exited;
      await stage.harness.discard(spec);
      const next = await stage.specOf({ agentSessionId: spec.agentSessionId, resume: true });
      const turn = await stage.withProcess(next, (resumed) =>
        run(resumed, stage.harness.prompts.recall('after the death')),
      );
      expect(turn.text).toContain('before the death');
    });

    test('lets a later prompt end at once, as not delivered', async () => {
      const process = await stage.start(await stage.specOf());
      await process.close();
      const outcome = await run(process, stage.harness.prompts.say('too late')).then(
        (turn) => turn.end.error?.code,
        (error: RoundhouseError) => error.code,
      );
      expect(outcome).toBe('agent_died');
    });
  });
}
