import { stringify } from 'yaml';

import type { FeedEvent } from './session-feed.ts';
import type { Style } from '../output/style.ts';

/** An event in words for a person. */
export interface EventWords {
  readonly text: string;
  readonly style?: Style;
}

/** What an event says, beyond its type. May have several lines. */
export function describeEvent(event: FeedEvent): EventWords {
  switch (event.type) {
    case 'user.message':
    case 'agent.message':
    case 'system.message':
      return { text: contentText(event.content) };
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
      return {
        text: `${event.name} ${JSON.stringify(event.input)}`,
        style: event.evaluated_permission === 'ask' ? 'yellow' : 'cyan',
      };
    case 'agent.custom_tool_use':
      return { text: `${event.name} ${JSON.stringify(event.input)}`, style: 'yellow' };
    case 'agent.tool_result':
    case 'agent.mcp_tool_result':
      return {
        text: contentText(event.content ?? []),
        style: event.is_error === true ? 'red' : 'dim',
      };
    case 'user.tool_confirmation':
      return { text: [event.result, event.deny_message].filter(Boolean).join(': ') };
    case 'user.custom_tool_result':
      return { text: contentText(event.content ?? []) };
    case 'session.status_idle':
      return event.stop_reason.type === 'requires_action'
        ? { text: `requires_action ${event.stop_reason.event_ids.join(' ')}`, style: 'yellow' }
        : { text: event.stop_reason.type, style: 'dim' };
    case 'session.error':
      return { text: event.error.message, style: 'red' };
    case 'span.model_request_end': {
      const { input_tokens, output_tokens } = event.model_usage;
      return { text: `${input_tokens} tokens in, ${output_tokens} out`, style: 'dim' };
    }
    default:
      return { text: rest(event), style: 'dim' };
  }
}

/** Text blocks as they are, others by their type. */
function contentText(
  content: readonly { readonly type: string; readonly text?: string }[],
): string {
  return content.map((block) => block.text ?? `[${block.type}]`).join('\n');
}

/** The fields that no case above knows, in one line. */
function rest(event: FeedEvent): string {
  const known = new Set(['id', 'type', 'processed_at']);
  const fields = Object.entries(event).filter(([name]) => !known.has(name));
  if (fields.length === 0) return '';
  return stringify(Object.fromEntries(fields), { collectionStyle: 'flow', lineWidth: 0 }).trim();
}
