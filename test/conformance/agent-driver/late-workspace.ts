import { beforeEach, describe, expect, test } from 'vitest';
import type { AgentProcess } from '../../../src/contracts/agent-driver.ts';
import type { DriverStage } from './driver-stage.ts';
import { run } from './run-turn.ts';
import { bodies, modelsOf } from './turn-outputs.ts';

/** Processes that are started without a folder. */
export function describeLateWorkspace(stage: DriverStage): void {
  describe('a process whose folder comes late', () => {
    const UNBOUND_REFUSES = 'internal';

    beforeEach(({ skip }) => {
      if (!stage.harness.driver.capabilities.lateWorkspace)
        skip('the driver says that it has none');
    });

    test('works in the folder that it is given, and is asked for like any other', async () => {
      const { process, workspace, spec } = await stage.startUnbound();
      expect(process.alive).toBe(true);
      await bind(process, workspace);
      const turn = await run(process, stage.harness.prompts.where());
      const [result] = bodies(turn.outputs, 'agent.tool_result');
      expect(JSON.stringify(result?.content)).toContain(workspace);
      stage.answerer.behavior = 'deny';
      const denied = await run(process, stage.harness.prompts.ask());
      expect(JSON.stringify(bodies(denied.outputs, 'agent.tool_result'))).toContain(
        'The policy says no.',
      );
      expect(stage.answerer.requests.at(-1)?.sessionId).toBe(spec.sessionId);
      expect((await process.close()).transcriptStale).toBe(false);
    });

    test('hands its conversation on to the next process', async () => {
      const { process, workspace, spec } = await stage.startUnbound();
      await bind(process, workspace);
      await run(process, stage.harness.prompts.recall('said to the first'));
      await process.close();
      await stage.harness.discard(spec);
      const { agentSessionId } = spec;
      const next = { ...(await stage.specOf({ agentSessionId, resume: true })), workspace };
      const turn = await stage.withProcess(next, (resumed) =>
        run(resumed, stage.harness.prompts.recall('said to the second')),
      );
      expect(turn.text).toContain('said to the first');
    });

    test('uses the model of its turn', async () => {
      const { process, workspace } = await stage.startUnbound();
      await bind(process, workspace);
      const other = await run(
        process,
        stage.harness.prompts.say('a'),
        undefined,
        stage.harness.otherModel,
      );
      expect(modelsOf(other.outputs)).toEqual([stage.harness.otherModel]);
      await process.close();
    });

    test('refuses a folder that does not exist, and is gone', async ({ skip }) => {
      stage.skipIn(skip, 'workspace');
      const { process, workspace, spec } = await stage.startUnbound();
      const missing = `${workspace}/missing`;
      await expect(bind(process, missing)).rejects.toMatchObject({
        code: 'session_connection_failed',
        message: expect.stringContaining(missing),
      });
      expect(process.alive).toBe(false);
      expect((await process.exited).reason).toBe('workspace_refused');
      expect(await stage.harness.leftovers(spec.clientId)).toBe(0);
    });

    test('that is not waited for any longer is gone', async () => {
      const { process, workspace, spec } = await stage.startUnbound();
      const given = AbortSignal.abort(new Error('too slow'));
      await expect(process.bind({ workspace }, given)).rejects.toMatchObject({
        code: 'session_connection_failed',
      });
      expect(process.alive).toBe(false);
      expect(await stage.harness.leftovers(spec.clientId)).toBe(0);
    });

    test('takes no prompt before, and no second folder after', async () => {
      const { process, workspace } = await stage.startUnbound();
      const refused = { code: UNBOUND_REFUSES };
      await expect(run(process, stage.harness.prompts.say('early'))).rejects.toMatchObject(refused);
      await bind(process, workspace);
      await expect(bind(process, workspace)).rejects.toMatchObject(refused);
      expect((await run(process, stage.harness.prompts.say('in time'))).text).toBe('in time');
      await process.close();
    });

    test('that nobody takes ends in good order, also while it is being given one', async () => {
      const parked = await stage.startUnbound();
      expect((await parked.process.close()).reason).toBe('closed');
      const bound = await stage.startUnbound();
      const binding = bind(bound.process, bound.workspace).then(
        () => 'bound',
        () => 'refused',
      );
      await bound.process.close();
      expect(await binding).toBe('refused');
      for (const { spec } of [parked, bound])
        expect(await stage.harness.leftovers(spec.clientId)).toBe(0);
    });

    test('that dies unasked says so', async () => {
      const { process, workspace } = await stage.startUnbound();
      stage.harness.kill(process, 'SIGKILL');
      const exit = await process.exited;
      expect(exit).toMatchObject({ signal: 'SIGKILL', transcriptStale: false });
      expect(exit.reason).toBeUndefined();
      await expect(bind(process, workspace)).rejects.toMatchObject({ code: UNBOUND_REFUSES });
    });
  });
}

/** Gives a process its folder. */
function bind(process: AgentProcess, workspace: string): Promise<void> {
  return process.bind({ workspace }, new AbortController().signal);
}
