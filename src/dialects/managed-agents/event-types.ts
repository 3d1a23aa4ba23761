import type { BetaManagedAgentsSessionEventType } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type { FieldRule } from './fields.ts';

type EventType = BetaManagedAgentsSessionEventType | BetaManagedAgentsStreamSessionEvents['type'];

/** What this server does with a type of event. */
export interface EventTypeRule {
  /** From clients, by `events.send`: taken, or refused by name. Undefined: it is none that a client sends. */
  readonly sent?: 'taken' | 'refused';
  /** To clients: in lists and streams, in streams alone, or never. */
  readonly shown: 'always' | 'streams' | 'never';
  /** One sentence for docs/managed-agents.md; of a refused type also for the client. */
  readonly note: string;
}

const shown = (note: string): EventTypeRule => ({ shown: 'always', note });
const never = (note: string): EventTypeRule => ({ shown: 'never', note });
const taken = (note: string): EventTypeRule => ({ sent: 'taken', shown: 'always', note });
const refused = (note: string): EventTypeRule => ({ sent: 'refused', shown: 'never', note });

const THREADS = never('A session has one thread here.');
const WORKFLOWS = never('There are no workflow runs here.');

const STREAM_ONLY: ReadonlySet<string> = new Set(['session.deleted', 'event_start', 'event_delta']);

/** Every type of event that the SDK knows; the compiler misses none. */
export const EVENT_TYPES = {
  'user.message': taken(
    'A prompt: text, images, documents. It waits for its turn; `processed_at` is null until it is delivered.',
  ),
  'user.interrupt': taken(
    'Stops the turn that runs, or else the message that waits first; with neither nothing happens.',
  ),
  'system.message': taken(
    'Text that the operator adds to the system prompt from the message before it on; at most one, the last of its request.',
  ),
  'user.tool_confirmation': taken(
    'Lets a call that waits run, or not; `deny_message` is what the model is told. In any order, for each call once.',
  ),
  'user.custom_tool_result': taken(
    'What a call of a tool of the client has given: text, images as base64, documents of plain text. As soon as the call is seen, for each call once.',
  ),
  'user.tool_result': refused(
    'the agent’s own tools run here; only in a self_hosted environment they run at the client',
  ),
  'user.define_outcome': refused(
    'nobody here grades outcomes; say in a user.message what is wanted',
  ),
  'agent.message': shown('One for each text block of the model.'),
  'agent.thinking': shown('That the model has thought; what, is not shown.'),
  'agent.tool_use': shown(
    'A call of a tool of the agent toolset, in the names and fields of the API; other tools of Claude Code in its own.',
  ),
  'agent.tool_result': shown('What the call has given.'),
  'agent.mcp_tool_use': shown('A call of a tool of an MCP server.'),
  'agent.mcp_tool_result': shown('What that call has given.'),
  'agent.custom_tool_use': shown('A call of a tool that lives with the client.'),
  'agent.thread_context_compacted': shown('Claude Code has summed up the conversation so far.'),
  'session.status_running': shown(
    'A turn has begun, or goes on: its message, or the answers that it waited for, are on their way to the agent.',
  ),
  'session.status_idle': shown(
    'No turn runs. `stop_reason`: `end_turn`, also after an interrupt; `requires_action` with the calls that wait; `refusal`; `retries_exhausted` behind a `session.error`; `budget_reached`.',
  ),
  'session.status_rescheduled': shown('A request to the model failed and is made again.'),
  'session.status_terminated': never('A session goes on after every error.'),
  'session.error': shown(
    'Why a turn failed; `retry_status` is always `exhausted`: the turn is over, and the session takes the next message.',
  ),
  'session.updated': shown('The session was changed; it holds from the next turn on.'),
  'session.usage': never('Retrieve the session for it.'),
  'session.deleted': {
    shown: 'streams',
    note: 'The session is gone, and so is everything that was kept of it; the stream ends.',
  },
  'span.model_request_start': shown('A request to the model begins.'),
  'span.model_request_end': shown('It has ended; it closes a preview that got no event.'),
  'span.outcome_evaluation_start': never('Nobody here grades outcomes.'),
  'span.outcome_evaluation_ongoing': never('Nobody here grades outcomes.'),
  'span.outcome_evaluation_end': never('Nobody here grades outcomes.'),
  event_start: {
    shown: 'streams',
    note: 'A preview of an `agent.message` or an `agent.thinking`, where `event_deltas` asks for it.',
  },
  event_delta: { shown: 'streams', note: 'A piece of the text of an `agent.message`.' },
  'agent.thread_message_received': THREADS,
  'agent.thread_message_sent': THREADS,
  'session.thread_created': THREADS,
  'session.thread_status_running': THREADS,
  'session.thread_status_idle': THREADS,
  'session.thread_status_rescheduled': THREADS,
  'session.thread_status_terminated': THREADS,
  'workflow_run.created': WORKFLOWS,
  'workflow_run.status_running': WORKFLOWS,
  'workflow_run.status_idle': WORKFLOWS,
  'workflow_run.status_ended': WORKFLOWS,
  'workflow_run.error': WORKFLOWS,
  'workflow_run.phase_started': WORKFLOWS,
  'workflow_run.phase_ended': WORKFLOWS,
} as const satisfies Record<EventType, EventTypeRule>;

/** Types that a listing can be narrowed to: those of the API, also where this server never has one. */
export const LISTED_TYPES = Object.keys(EVENT_TYPES).filter(isListed);

function isListed(type: string): type is BetaManagedAgentsSessionEventType {
  return !STREAM_ONLY.has(type);
}

/** The rule of a type that clients send and this server refuses, as of a field. */
export function refusedEvent(type: keyof typeof EVENT_TYPES): FieldRule {
  return { effect: 'refused', note: EVENT_TYPES[type].note };
}
