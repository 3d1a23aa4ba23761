import { afterAll, beforeAll, describe } from 'vitest';
import { describeClientTools } from './agent-driver/client-tools.ts';
import { describeConversations } from './agent-driver/conversations.ts';
import { describeDeaths } from './agent-driver/deaths.ts';
import { describeEnds } from './agent-driver/ends.ts';
import { describeInterrupts } from './agent-driver/interrupts.ts';
import { describeLateWorkspace } from './agent-driver/late-workspace.ts';
import { describeLiveTurn } from './agent-driver/live-turn.ts';
import { describeModelFailures } from './agent-driver/model-failures.ts';
import { describeStarts } from './agent-driver/starts.ts';
import { describeWaitingCalls } from './agent-driver/waiting-calls.ts';
import type { AgentDriverHarness } from './agent-driver/driver-harness.ts';
import { DriverStage } from './agent-driver/driver-stage.ts';

export type { AgentDriverHarness, SituationPrompts } from './agent-driver/driver-harness.ts';

/** Chapters of the contract; what each process leaves behind is looked at in the last one. */
const CHAPTERS = [
  describeLiveTurn,
  describeClientTools,
  describeWaitingCalls,
  describeInterrupts,
  describeModelFailures,
  describeDeaths,
  describeConversations,
  describeStarts,
  describeLateWorkspace,
  describeEnds,
];

/** Runs the whole contract of an agent driver. `open` is called once; `close` when all tests have run. */
export function describeAgentDriver(
  name: string,
  open: () => Promise<AgentDriverHarness>,
  close: () => Promise<void> = () => Promise.resolve(),
): void {
  describe(`the agent driver ${name}`, () => {
    const stage = new DriverStage();

    beforeAll(() => stage.open(open));

    afterAll(async () => {
      await close();
    });

    for (const describeChapter of CHAPTERS) describeChapter(stage);
  });
}
