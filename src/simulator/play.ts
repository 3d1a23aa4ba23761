import type { ServerResponse } from 'node:http';
import { sleep } from '../time/timers.ts';
import type { AnswerPlan } from './answer.ts';
import type { Fault } from './directives.ts';
import { errorBody } from './errors.ts';
import { wireSteps } from './events.ts';
import type { AnswerIds } from './ids.ts';
import { messageObject } from './message-object.ts';
import { aborted, playStream } from './stream.ts';

/** What is not in the plan of an answer, because it belongs to one request. */
export interface Delivery {
  ids: AnswerIds;
  model: string;
  /** As server-sent events, or as one JSON body. */
  stream: boolean;
  /** The wait before each piece of a stream, in milliseconds. */
  delayMs: number;
}

/** Delivers an answer, with its fault. Resolves when it is over: ended, cut, or the client went. */
export async function playAnswer(
  response: ServerResponse,
  plan: AnswerPlan,
  { ids, model, stream, delayMs }: Delivery,
): Promise<void> {
  const gone = goneSignal(response);
  if (plan.fault?.name === 'error') {
    sendError(response, plan.fault, ids.request);
  } else if (plan.fault?.name === 'stall' && plan.fault.at === 'headers') {
    await aborted(gone);
  } else if (stream) {
    await playStream(response, wireSteps(plan, ids, model), { delayMs, gone });
  } else {
    await playWhole(response, plan, { ids, model, gone, delayMs });
  }
}

/** Ends a response with a JSON body. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Without a stream, silence in the middle is silence, and half an answer is half a JSON body. */
async function playWhole(
  response: ServerResponse,
  plan: AnswerPlan,
  { ids, model, gone, delayMs }: Omit<Delivery, 'stream'> & { gone: AbortSignal },
): Promise<void> {
  const json = JSON.stringify(messageObject(plan, ids, model));
  const half = json.slice(0, json.length / 2);
  switch (plan.fault?.name) {
    case 'stall':
    case 'pings':
      return aborted(gone);
    case 'cut':
      response.writeHead(200, { 'content-type': 'application/json' });
      // destroyed only when the half is out, or the client would see no answer at all
      return new Promise((resolve) => {
        response.once('close', resolve);
        response.write(half, () => response.destroy());
      });
    case 'broken':
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(half);
      return undefined;
    case 'overloaded':
      sendError(response, { name: 'error', status: 529 }, ids.request);
      return undefined;
    case 'error':
    case undefined:
      // one wait for the whole answer: a client without a stream sees no pieces
      if (delayMs > 0) await sleep(delayMs, gone).catch(() => undefined);
      if (!gone.aborted) sendJson(response, 200, messageObject(plan, ids, model));
      return undefined;
    default:
      return plan.fault satisfies never;
  }
}

function sendError(
  response: ServerResponse,
  fault: Extract<Fault, { name: 'error' }>,
  requestId: string,
): void {
  if (fault.retryAfterSeconds !== undefined) {
    response.setHeader('retry-after', String(fault.retryAfterSeconds));
  }
  const message = fault.status === 529 ? 'Overloaded' : `Simulated error ${fault.status}`;
  sendJson(response, fault.status, errorBody(fault.status, message, requestId));
}

/** Aborts when the connection is closed, by whichever side, or the answer is out. */
function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.destroyed) controller.abort();
  else response.once('close', () => controller.abort());
  return controller.signal;
}
