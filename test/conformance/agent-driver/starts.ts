import { describe, expect, test } from 'vitest';
import type { DriverStage } from './driver-stage.ts';

/** Starts that fail or are given up. */
export function describeStarts(stage: DriverStage): void {
  describe('a start', () => {
    test('names a workspace that does not exist', async ({ skip }) => {
      stage.skipIn(skip, 'workspace');
      const spec = { ...(await stage.specOf()), workspace: '/nonexistent/workspace' };
      await expect(stage.start(spec)).rejects.toMatchObject({
        code: 'session_connection_failed',
        message: expect.stringContaining('/nonexistent/workspace'),
      });
    });

    test('names an executable that does not exist', async ({ skip }) => {
      stage.skipIn(skip, 'executable');
      const driver = stage.harness.driverWithoutExecutable;
      const spec = await stage.specOf();
      await expect(driver?.start(spec, new AbortController().signal)).rejects.toMatchObject({
        code: 'agent_unavailable',
      });
    });

    test('refuses to resume what was never written', async () => {
      const spec = await stage.specOf({ resume: true });
      await expect(stage.start(spec)).rejects.toMatchObject({ code: 'session_connection_failed' });
    });

    test('that is given up leaves nothing behind', async () => {
      const spec = await stage.specOf();
      const controller = new AbortController();
      const starting = stage.start(spec, controller.signal);
      controller.abort(new Error('changed my mind'));
      await expect(starting).rejects.toBeInstanceOf(Error);
      expect(await stage.harness.leftovers(spec.clientId)).toBe(0);
    });

    test('that was given up before it began does nothing', async () => {
      const spec = await stage.specOf();
      await expect(stage.start(spec, AbortSignal.abort(new Error('never')))).rejects.toBeInstanceOf(
        Error,
      );
      expect(await stage.harness.leftovers(spec.clientId)).toBe(0);
    });
  });
}
