import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AgentOptions } from '../../../contracts/agent-driver.ts';
import { parseMessagesRequest } from '../../../dialects/anthropic-messages/parse.ts';
import type { MessagesRequest } from '../../../dialects/anthropic-messages/parse.ts';
import { MessageRenderer } from '../../../dialects/anthropic-messages/render.ts';
import { errorText, RoundhouseError } from '../../../errors.ts';
import type { StreamHandle } from '../../../session/stream-handle.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import type { AppDependencies } from '../../deps.ts';
import { described } from '../../openapi/operation.ts';
import { sendFailure } from '../../send-failure.ts';
import { sessionNameOf } from '../../session-name.ts';
import { streamAnswer, wholeAnswer } from './answer.ts';
import type { AnswerParts, EarlyFailure } from './answer.ts';
import { CREATE_MESSAGE, CREATE_MESSAGE_ON_SESSION } from './described.ts';
import { messageHeaders } from './headers.ts';
import type { MessageHeaders } from './headers.ts';

type MessageRequest = FastifyRequest<{ Params: { sessionId?: string } }>;

/** `POST /v1/messages` and `POST /sessions/:sessionId/v1/messages`: one turn of a session, or a one-shot call. */
export function createMessageRoutes(app: FastifyInstance, deps: AppDependencies): void {
  const handler = (request: MessageRequest, reply: FastifyReply): Promise<FastifyReply> =>
    createMessage(deps, request, reply);
  app.post<{ Params: { sessionId?: string } }>('/v1/messages', described(CREATE_MESSAGE), handler);
  app.post<{ Params: { sessionId?: string } }>(
    '/sessions/:sessionId/v1/messages',
    described(CREATE_MESSAGE_ON_SESSION),
    handler,
  );
}

/** A call that has been read and is in order. */
interface Call {
  readonly message: MessagesRequest;
  readonly headers: MessageHeaders;
  readonly tenant: string;
  readonly name: string;
  readonly oneShot: boolean;
  readonly gone: AbortSignal;
}

async function createMessage(
  deps: AppDependencies,
  request: MessageRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const call = readCall(deps, request, reply);
  const ignored = [...call.message.ignored, ...call.headers.ignored];
  if (ignored.length > 0) reply.header('x-roundhouse-ignored', ignored.join(', '));
  let handle: StreamHandle | undefined;
  try {
    handle = await startTurn(deps, call);
    const failure = await answer(deps, call, handle, request, reply);
    if (failure !== undefined) {
      sendFailure(deps.telemetry.log, request, reply, failure.error, failure.delivered);
    }
  } catch (error) {
    if (!call.gone.aborted) sendFailure(deps.telemetry.log, request, reply, error);
  } finally {
    // Nobody is there to be answered; Fastify must not try.
    if (call.gone.aborted && !reply.sent) reply.hijack();
    if (call.oneShot) await removeOneShot(deps, call, handle);
  }
  return reply;
}

function readCall(deps: AppDependencies, request: MessageRequest, reply: FastifyReply): Call {
  const headers = messageHeaders(request.headers);
  const path = request.params.sessionId;
  const message = parseMessagesRequest(request.body, {
    models: deps.options.models,
    sessionNamed: path !== undefined || headers.sessionName !== undefined,
  });
  const name = sessionNameOf({
    path,
    header: headers.sessionName,
    metadata: message.sessionName,
  });
  if (name === undefined && headers.workspace !== undefined) {
    throw new RoundhouseError(
      'invalid_request',
      'x-workspace: expected a session that works there, got a call without one; name it with x-session-id, or leave the header out',
    );
  }
  return {
    message,
    headers,
    tenant: request.tenant,
    name: name ?? `oneshot-${randomBytes(16).toString('hex')}`,
    oneShot: name === undefined,
    gone: clientGoneSignal(reply.raw),
  };
}

async function startTurn({ pool, options }: AppDependencies, call: Call): Promise<StreamHandle> {
  const { message, tenant, oneShot, gone } = call;
  const client = await pool.getSessionClient(call.name, {
    tenant,
    agent: agentOptions(message, oneShot),
    kind: oneShot ? 'one_shot' : 'named',
    ...(call.headers.workspace === undefined ? {} : { workspace: call.headers.workspace }),
    ...(message.history.length > 0 ? { history: message.history } : {}),
    ...(call.headers.sessionLimits === undefined ? {} : { limits: call.headers.sessionLimits }),
    priority: call.headers.priority,
    signal: gone,
  });
  return client.prompt(message.prompt, {
    ...(message.model === undefined ? {} : { model: message.model }),
    onBusy: call.headers.onBusy,
    ...(call.headers.turnLimits === undefined ? {} : { limits: call.headers.turnLimits }),
    // A prompt on a named session stands once it was accepted; that of a one-shot call is its client's alone.
    ...(oneShot
      ? { whenUnread: { policy: 'interrupt', graceMs: options.oneShotGraceMs }, signal: gone }
      : { whenUnread: { policy: 'continue' } }),
  });
}

/** On a named session the model is the turn's; a one-shot session is started with it. */
function agentOptions(message: MessagesRequest, oneShot: boolean): AgentOptions {
  return {
    ...(message.system === undefined
      ? {}
      : { systemPrompt: { mode: 'replace', text: message.system } }),
    ...(message.maxThinkingTokens === undefined
      ? {}
      : { maxThinkingTokens: message.maxThinkingTokens }),
    ...(oneShot && message.model !== undefined ? { model: message.model } : {}),
  };
}

async function answer(
  { options }: AppDependencies,
  call: Call,
  handle: StreamHandle,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<EarlyFailure | undefined> {
  const { message, headers, gone } = call;
  const parts: AnswerParts = {
    batches: handle.readBatches({ signal: gone }),
    renderer: new MessageRenderer({
      turnId: handle.turnId,
      requestId: request.id,
      model: message.model ?? options.defaultModel ?? options.models[0] ?? '',
      agentEvents: headers.agentEvents,
      showThinking: message.showThinking,
    }),
    gone,
  };
  if (message.stream) {
    return streamAnswer(parts, options, () => {
      reply.hijack();
      return { response: reply.raw, headers: reply.getHeaders() };
    });
  }
  const whole = await wholeAnswer(parts);
  if (whole === undefined || gone.aborted) return undefined;
  if ('error' in whole) return whole;
  void reply.send(whole);
  return undefined;
}

/** Takes a one-shot session away, after its turn: leaving early gives the turn its grace first. */
async function removeOneShot(
  { pool, telemetry }: AppDependencies,
  call: Call,
  handle: StreamHandle | undefined,
): Promise<void> {
  try {
    await handle?.ended;
    await pool.deleteSession(call.tenant, call.name);
  } catch (error) {
    // The answer has been sent; the next start of the host sweeps what is left.
    telemetry.log.warn('one_shot_removal_failed', { name: call.name, error: errorText(error) });
  }
}
