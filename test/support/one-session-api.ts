import { SessionApi } from './session-api.ts';

/** The one session that a {@link oneSessionApi} has. */
export const SESSION = {
  id: 'sesn_1',
  type: 'session',
  status: 'idle',
  agent: { id: 'agent_1', name: 'A', model: { id: 'sonnet' } },
};

/** Where its events are, and how they are sent. */
export const EVENTS = '/v1/sessions/sesn_1/events';
export const SEND = `POST ${EVENTS}`;

/** What a prompt has become, whatever it was. */
export const PROMPT = { type: 'user.message', id: 'prompt', content: [], processed_at: null };

/** Answers what the command line asks before a turn, and with one session, whatever it is made of. */
export async function oneSessionApi(): Promise<SessionApi> {
  const api = await SessionApi.start();
  api.answer('GET /v1/models', { data: [{ id: 'sonnet' }], has_more: false });
  api.answer('GET /v1/agents', { data: [], next_page: null });
  api.answer('POST /v1/agents', { id: 'agent_1' });
  api.answer('GET /v1/environments', { data: [], next_page: null });
  api.answer('POST /v1/environments', { id: 'env_1' });
  api.answer('POST /v1/sessions', SESSION);
  api.answer('GET /v1/sessions/sesn_1', SESSION);
  api.answer('DELETE /v1/sessions/sesn_1', { id: 'sesn_1', type: 'session_deleted' });
  api.answer(`GET ${EVENTS}`, { data: [], next_page: null });
  api.answer(SEND, { data: [PROMPT] });
  return api;
}

/** A call that waits for leave. */
export function asks(id: string, name: string, input: object) {
  return { type: 'agent.tool_use', id, name, input, evaluated_permission: 'ask' };
}

/** That no turn runs, and why. */
export function idle(id: string, stop_reason: object) {
  return { type: 'session.status_idle', id, stop_details: null, stop_reason };
}

/** What the agent has said. */
export function says(id: string, text: string) {
  return { type: 'agent.message', id, content: [{ type: 'text', text }] };
}
