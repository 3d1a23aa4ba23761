import { AwaitedAnswers } from './awaited-answers.ts';
import { NOTHING_SPENT, withRequest, type Spent } from './turn-cost.ts';
import type { EventRecord } from '../events/record.ts';

/** Where a turn stood when its host died. */
export interface TurnStanding {
  /**
   * `waits` for answers of its client. `answered`: it has them, and some call has no result. `running`: neither.
   * `interrupted`: a client has stopped it, and may have been told so; wherever it stood, it goes no further.
   */
  readonly at: 'waits' | 'answered' | 'running' | 'interrupted';
  readonly answers: AwaitedAnswers;
  readonly spent: Spent;
}

/** Where a turn without an end stands, by its records. */
export function standingOf(records: readonly EventRecord[]): TurnStanding {
  const answers = new AwaitedAnswers();
  const toolUseIds = new Map<string, string>();
  let waits = false;
  let interrupted = false;
  let spent = NOTHING_SPENT;
  for (const { body, detail } of records) {
    switch (body.type) {
      case 'agent.tool_use':
      case 'agent.mcp_tool_use':
        if (detail.toolUseId === undefined) break;
        toolUseIds.set(body.id, detail.toolUseId);
        answers.show({ eventId: body.id, toolUseId: detail.toolUseId });
        break;
      case 'agent.custom_tool_use':
        if (detail.toolUseId !== undefined)
          answers.ask({ eventId: body.id, toolUseId: detail.toolUseId, ofClient: true });
        break;
      case 'agent.tool_result':
        answers.finish(body.tool_use_id);
        break;
      case 'agent.mcp_tool_result':
        answers.finish(body.mcp_tool_use_id);
        break;
      case 'user.tool_confirmation':
      case 'user.custom_tool_result':
        answers.take([body]);
        break;
      case 'user.interrupt':
        interrupted = true;
        break;
      case 'session.status_idle':
        waits = body.stop_reason.type === 'requires_action';
        if (body.stop_reason.type !== 'requires_action') break;
        for (const eventId of body.stop_reason.event_ids)
          answers.ask({ eventId, toolUseId: toolUseIds.get(eventId) ?? eventId });
        break;
      case 'session.status_running':
        waits = false;
        answers.hand(detail.handed ?? []);
        break;
      case 'span.model_request_start':
        if (detail.parentToolUseId === undefined) answers.finishAll();
        break;
      case 'span.model_request_end':
        if (detail.usage !== undefined && detail.parentToolUseId === undefined)
          spent = withRequest(spent, detail);
        break;
      default:
    }
  }
  if (interrupted) return { at: 'interrupted', answers, spent };
  if (waits) return { at: 'waits', answers, spent };
  const answered = answers.size > 0 && answers.remaining.length === 0;
  return { at: answered ? 'answered' : 'running', answers, spent };
}
