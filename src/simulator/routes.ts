import type { IncomingMessage, ServerResponse } from 'node:http';
import { wallClockMs } from '../time/clock.ts';
import { planAnswer } from './answer.ts';
import { parseBody, readBody } from './body.ts';
import { readConversation } from './conversation.ts';
import { ApiError, errorBody } from './errors.ts';
import { answerIds, digestOf } from './ids.ts';
import { findModel, listModels } from './models.ts';
import { playAnswer, sendJson } from './play.ts';
import type { RequestEntry, RequestLog } from './request-log.ts';
import { readMessagesRequest } from './request.ts';
import type { MessagesRequest } from './request.ts';
import type { Tally } from './tally.ts';

/** What the routes share within one simulator. */
export interface RouteContext {
  readonly log: RequestLog;
  /** How often the same request came, by its digest. */
  readonly seen: Tally;
  /** How often a prompt came that fails only some `times`. */
  readonly faults: Tally;
  readonly apiKey: string | undefined;
  readonly maxBodyBytes: number;
  readonly tokenDelayMs: number;
  nextRequestId(): string;
}

const MESSAGES_PATH = '/v1/messages';
const COUNT_TOKENS_PATH = '/v1/messages/count_tokens';
const MODELS_PATH = '/v1/models';

/** Answers one HTTP request, whatever it is. Resolves when the answer is over; rejects only for a client that went. */
export async function answerRequest(
  context: RouteContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = context.nextRequestId();
  response.setHeader('request-id', requestId);
  try {
    await route(context, request, response, requestId);
  } catch (error) {
    if (response.headersSent || response.destroyed) throw error;
    const status = error instanceof ApiError ? error.status : 500;
    const message = error instanceof Error ? error.message : String(error);
    sendJson(response, status, errorBody(status, message, requestId));
  }
}

async function route(
  context: RouteContext,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const [path = '/', query = ''] = (request.url ?? '/').split('?', 2);
  const isPost = request.method === 'POST';
  let body: Buffer;
  let messages: MessagesRequest | undefined;
  try {
    body = await readBody(request, context.maxBodyBytes);
    if (path !== '/') checkKey(context.apiKey, request);
    if (isPost && (path === MESSAGES_PATH || path === COUNT_TOKENS_PATH)) {
      const needsMaxTokens = path === MESSAGES_PATH;
      messages = readMessagesRequest(parseBody(body), { needsMaxTokens });
    }
  } finally {
    context.log.add(entryOf(request, path, messages));
  }
  if (messages !== undefined && path === COUNT_TOKENS_PATH) {
    sendJson(response, 200, { input_tokens: messages.inputTokens });
  } else if (messages !== undefined) {
    await answerMessages(context, messages, response, { requestId, digest: digestOf(body) });
  } else {
    sendJson(response, 200, getResource(request.method ?? 'GET', path, new URLSearchParams(query)));
  }
}

async function answerMessages(
  context: RouteContext,
  request: MessagesRequest,
  response: ServerResponse,
  { requestId, digest }: { requestId: string; digest: string },
): Promise<void> {
  const plan = planAnswer(request);
  const times = plan.fault?.times;
  if (times !== undefined) {
    const attempt = context.faults.next(`${request.messages.length} ${plan.prompt}`);
    if (attempt > times) plan.fault = undefined;
  }
  await playAnswer(response, plan, {
    ids: answerIds(requestId, digest, context.seen.next(digest)),
    model: request.model,
    stream: request.stream,
    delayMs: plan.delayMs ?? context.tokenDelayMs,
  });
}

function getResource(method: string, path: string, query: URLSearchParams): object {
  const isRead = method === 'GET' || method === 'HEAD';
  if (isRead && path === '/') return { name: 'roundhouse simulator' };
  if (isRead && path === MODELS_PATH) return listModels(query);
  if (isRead && path.startsWith(`${MODELS_PATH}/`)) {
    return findModel(path.slice(MODELS_PATH.length + 1));
  }
  throw new ApiError(404, `Not found: ${method} ${path}`);
}

function checkKey(apiKey: string | undefined, { headers }: IncomingMessage): void {
  if (apiKey === undefined) return;
  const sent = headers['x-api-key'] ?? headers.authorization?.replace(/^Bearer\s+/i, '');
  if (sent !== apiKey) throw new ApiError(401, 'invalid x-api-key');
}

function entryOf(
  request: IncomingMessage,
  path: string,
  messages: MessagesRequest | undefined,
): Omit<RequestEntry, 'number'> {
  const sessionId = request.headers['x-claude-code-session-id'];
  const entry = {
    method: request.method ?? 'GET',
    path,
    at: wallClockMs(),
    claudeSessionId: typeof sessionId === 'string' ? sessionId : undefined,
  };
  if (messages === undefined) return entry;
  return {
    ...entry,
    model: messages.model,
    stream: messages.stream,
    hasSystem: messages.hasSystem,
    messageCount: messages.messages.length,
    prompt: readConversation(messages.messages).prompt,
  };
}
