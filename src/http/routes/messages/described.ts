import { z } from 'zod';
import { FIELDS } from '../../../dialects/anthropic-messages/fields.ts';
import {
  messageAnswer,
  messageEventAnswer,
} from '../../../dialects/anthropic-messages/message-answer.ts';
import { bodySchema } from '../../../dialects/anthropic-messages/schema.ts';
import { AGENT_EVENT_MODES } from '../../../dialects/anthropic-messages/wire.ts';
import { SESSION_ERRORS, TURN_ERRORS } from '../../openapi/error-codes.ts';
import type { Operation } from '../../openapi/operation.ts';
import { SESSION_NAME_PATTERN } from '../../session-name.ts';
import { sessionParams } from '../sessions/params.ts';
import { ON_BUSY, PRIORITY_NAMES } from './headers.ts';

/** What `messageHeaders` reads, described. */
const headers = z.object({
  'x-session-id': z.string().regex(SESSION_NAME_PATTERN).optional().describe('Names the session.'),
  'x-workspace': z
    .string()
    .optional()
    .describe('The folder that a new session works in; one that the operator allows.'),
  'x-agent-events': z
    .enum(AGENT_EVENT_MODES)
    .default('hide')
    .describe("What of the agent's tool use shows."),
  'x-on-busy': z
    .enum(ON_BUSY)
    .default('queue')
    .describe('What to do while the session runs a turn.'),
  'x-priority': z
    .enum(PRIORITY_NAMES)
    .default('normal')
    .describe('Before other calls of the key, where a process must be waited for.'),
  'x-session-limits': z
    .string()
    .optional()
    .describe('Limits of the session from now on: JSON, as `pool.limits` of the configuration.'),
  'x-turn-limits': z.string().optional().describe('Limits of this turn: the same.'),
});

const common = {
  tag: 'Messages',
  headers,
  body: {
    schema: bodySchema,
    notes: FIELDS,
    example: {
      model: 'sonnet',
      max_tokens: 1024,
      messages: [{ role: 'user', content: 'Hello' }],
    },
  },
  answers: {
    200: {
      description:
        'One message for the whole turn; with `stream`, its events. Fields that had no effect are named in `x-roundhouse-ignored`.',
      schema: messageAnswer,
      events: messageEventAnswer,
    },
  },
  errors: ['unsupported_field', 'model_not_found', ...SESSION_ERRORS, ...TURN_ERRORS],
} as const satisfies Partial<Operation>;

export const CREATE_MESSAGE: Operation = {
  ...common,
  id: 'createMessage',
  summary: 'Prompt an agent',
  description:
    'One turn of the session that a header or `metadata.session_id` names, which is made when it is not there; without a name, of one that goes away with the turn.',
};

export const CREATE_MESSAGE_ON_SESSION: Operation = {
  ...common,
  id: 'createMessageOnSession',
  summary: 'Prompt the agent of a session',
  description: 'The same, the session named by the path.',
  params: sessionParams,
};
