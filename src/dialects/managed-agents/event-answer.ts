import { z } from 'zod';
import { pageOf } from './common-schema.ts';

/** What the routes of a session's events answer with, as the document of the API shows it; the SDKs have the types in full. */

const sessionEvent = z
  .looseObject({
    id: z.string(),
    type: z.string().describe('docs/managed-agents.md lists them.'),
    processed_at: z.iso
      .datetime()
      .nullable()
      .describe('Null while what a client has sent waits for its turn.'),
  })
  .meta({ id: 'SessionEvent' });

const gap = z
  .object({ from: z.int().min(1), to: z.int().min(1) })
  .describe('Numbers of events that are gone ahead of the first one, both included.');

export const sendAnswer = z.object({ data: z.array(sessionEvent) });

export const eventPageAnswer = pageOf(sessionEvent).extend({
  roundhouse: z.object({ gap }).optional().describe('Only where events are gone.'),
});

/** One event of a stream. */
export const streamAnswer = z.union([
  sessionEvent,
  z.object({
    type: z.literal('event_start'),
    event: z.object({ id: z.string(), type: z.enum(['agent.message', 'agent.thinking']) }),
  }),
  z.object({
    type: z.literal('event_delta'),
    event_id: z.string(),
    delta: z.object({
      type: z.literal('content_delta'),
      index: z.int().min(0),
      content: z.object({ type: z.literal('text'), text: z.string() }),
    }),
  }),
  z.object({ type: z.literal('roundhouse.gap'), from: z.int().min(1), to: z.int().min(1) }),
]);
