import { toApiCall } from '../../definitions/own-tools.ts';
import type { EventRecord, SessionEvent } from '../../events/record.ts';

/** When turns were taken up, by their ids; those that wait are not among them. */
export type ProcessedAt = ReadonlyMap<string, string>;

/**
 * A record as a client of the API is shown it; undefined where it is not shown. What the wire format has no place for, the
 * record's `detail`, is left out.
 */
export function toSessionEvent(
  { body, detail, turnId }: EventRecord,
  processedAt: ProcessedAt,
): SessionEvent | undefined {
  // A subagent has a thread of its own in the API, and sessions have one here: what it gives back is shown.
  if (detail.parentToolUseId !== undefined) return undefined;
  // That the turn goes on has been shown.
  if (detail.takenUp === true) return undefined;
  switch (body.type) {
    case 'user.message':
    case 'system.message':
      return { ...body, processed_at: processedAt.get(turnId ?? '') ?? null };
    case 'agent.tool_use':
      return { ...body, ...toApiCall(body.name, body.input) };
    default:
      return body;
  }
}

/** The turns whose being taken up {@link toSessionEvent} asks for. */
export function turnsToLookUp(records: readonly EventRecord[]): string[] {
  const turns = new Set<string>();
  for (const { body, turnId } of records) {
    const waits = body.type === 'user.message' || body.type === 'system.message';
    if (waits && turnId !== null) turns.add(turnId);
  }
  return [...turns];
}
