import { z } from 'zod';
import { textOrNull } from './agents.ts';
import { parseBody } from './parse-body.ts';
import { sessionTitle } from './session-schema.ts';

/** What `POST /v1/sessions/{id}/roundhouse/fork` takes. */
export const sessionForkSchema = z.strictObject({
  event_id: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('The event to fork from; by default the end of what is complete.'),
  title: sessionTitle.describe('By default that of the session, with ` (fork)` behind it.'),
});

/** A fork that a client asks for. */
export interface SessionForkRequest {
  readonly eventId: string | undefined;
  /** Undefined: what is the default. */
  readonly title: string | null | undefined;
}

/** The fork that a body asks for, no body included. Throws `invalid_request`. */
export function parseSessionFork(body: unknown): SessionForkRequest {
  const { event_id: eventId, title } = parseBody(sessionForkSchema, body ?? {});
  return { eventId, title: title === undefined ? undefined : textOrNull(title) };
}
