import type { AgentProcess, AgentSpec } from '../../../src/contracts/agent-driver.ts';
import type { CallAnswer } from '../../../src/contracts/answerer.ts';
import type { AgentDriverHarness } from './driver-harness.ts';

/** The calls of a conversation that wait, as the driver reads them from its transcript. */
export function openCallsOf(
  { driver }: AgentDriverHarness,
  { agentSessionId, transcripts }: AgentSpec,
  neverHanded: readonly string[],
) {
  return driver.openCalls(agentSessionId, transcripts, neverHanded);
}

/** What a client's tool has found. */
export function found(text: string, isError = false): CallAnswer {
  return { behavior: 'result', result: { content: [{ type: 'text', text }], isError } };
}

/** A client that answers all calls, and not in their order. */
export function answerAll(decide: (id: string, place: number) => CallAnswer) {
  return (ids: readonly string[], process: AgentProcess): void => {
    for (const [place, id] of [...ids.entries()].toReversed())
      process.answer(id, decide(id, place));
  };
}
