import type { OpenCall } from '../../contracts/agent-driver.ts';
import type { TranscriptEntry, TranscriptStore } from '../../contracts/transcripts.ts';

/** A call that waits, or waited, for leave. */
export interface HeldCall extends OpenCall {
  readonly eventId: string;
  /** Whether its result is an event of the client's own. */
  readonly shownByClient: boolean;
  /** Its result, once it is carried out. */
  readonly output: string;
}

/** What a transcript keeps of a turn that waits, so that another process can go on with it. */
export interface HeldTurn {
  readonly promptId: string;
  readonly text: string;
  readonly model: string;
  /** The step of the script that waits. */
  readonly step: number;
  readonly calls: readonly HeldCall[];
}

/** The turn that waits, as an entry of the transcript. */
export function heldEntry(held: HeldTurn): TranscriptEntry {
  return { type: 'held', uuid: `${held.promptId}-held-${held.step}`, held };
}

/** The result of a call, as an entry of the transcript. */
export function resultEntry(toolUseId: string): TranscriptEntry {
  return { type: 'result', uuid: `${toolUseId}-result`, toolUseId };
}

/** The turn that a transcript ends in, if it waits, and its calls without a result. */
export async function heldTurn(
  agentSessionId: string,
  transcripts: TranscriptStore,
): Promise<{ held: HeldTurn; open: readonly HeldCall[] } | undefined> {
  const entries = await transcripts.load({ agentSessionId, subpath: '' });
  const last = entries.findLast(({ type }) => type !== 'result');
  if (last?.type !== 'held' || !isHeldTurn(last['held'])) return undefined;
  const held = last['held'];
  const done = new Set(entries.map((entry) => entry['toolUseId']));
  return { held, open: held.calls.filter(({ toolUseId }) => !done.has(toolUseId)) };
}

/** Only this driver writes such entries. */
function isHeldTurn(value: unknown): value is HeldTurn {
  return typeof value === 'object' && value !== null && 'calls' in value;
}
