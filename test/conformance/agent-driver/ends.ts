import { describe, expect, test } from 'vitest';
import type { DriverStage } from './driver-stage.ts';
import { run } from './run-turn.ts';

/** How a process is ended. */
export function describeEnds(stage: DriverStage): void {
  describe('the end of a process', () => {
    test('in good order may be asked for twice', async () => {
      const process = await stage.start(await stage.specOf());
      const [first, second] = await Promise.all([process.close(), process.close()]);
      expect(second).toEqual(first);
      expect(await process.close()).toEqual(first);
      expect(first.transcriptStale).toBe(false);
      expect(process.alive).toBe(false);
    });

    test('by force may be asked for twice; the first reason wins', async () => {
      const process = await stage.start(await stage.specOf());
      const exits = await Promise.all([process.destroy('first'), process.destroy('second')]);
      expect(exits.map((exit) => exit.reason)).toEqual(['first', 'first']);
      expect(await process.destroy('third')).toEqual(exits[0]);
    });

    test('in good order and by force may be asked for together', async () => {
      const process = await stage.start(await stage.specOf());
      const [closed, destroyed] = await Promise.all([process.close(), process.destroy('hurry')]);
      expect(destroyed).toEqual(closed);
    });

    test('in the middle of a turn ends the turn', async () => {
      const process = await stage.start(await stage.specOf());
      let asked = false;
      const turn = await run(process, stage.harness.prompts.hang('text'), (output) => {
        if (asked || output.kind !== 'preview' || output.preview.kind !== 'text_delta') return;
        asked = true;
        void process.destroy('evicted');
      });
      expect(turn.end.error?.code).toBe('agent_died');
      expect(turn.processUsable).toBe(false);
    });

    test('leaves no process with its mark', async () => {
      const counts = await Promise.all(
        stage.used.map((clientId) => stage.harness.leftovers(clientId)),
      );
      // Those of the groups above are closed by now.
      expect(counts.filter((count) => count > 0)).toEqual([]);
    });
  });
}
