import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { z } from 'zod';

import { bursts, planSchema } from './plan.ts';

/** How events are put on the wire: each in a write of its own, or all of a tick in one. */
export type WriteMode = 'each' | 'tick';

const bodySchema = z.object({ messages: z.tuple([z.object({ content: z.string() })]) });

/**
 * The least that a server can do: `node:http`, the same deltas as events of the same form, no session, no log, no reader.
 * It honours back-pressure, as ours does.
 */
export function createBareServer(mode: WriteMode): Server {
  return createServer({ keepAliveTimeout: 72_000 }, (request, response) => {
    stream(mode, request, response).catch((error: unknown) => {
      console.error(error);
      response.destroy();
    });
  });
}

async function stream(
  mode: WriteMode,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
  const [{ content }] = bodySchema.parse(JSON.parse(body)).messages;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.flushHeaders();
  const send = mode === 'each' ? writeEach(response) : writeTicks(response);
  for await (const deltas of bursts(planSchema.parse(JSON.parse(content)))) {
    for (const text of deltas) {
      const full = send(eventText(text));
      if (full) await once(response, 'drain');
    }
  }
  // Behind the last write, which waits for the end of its tick.
  process.nextTick(() => response.end());
}

function eventText(text: string): string {
  const data = JSON.stringify({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text },
  });
  return `event: content_block_delta\ndata: ${data}\n\n`;
}

/** Each returns true when the client has to take something before more may be sent. */
type Send = (text: string) => boolean;

function writeEach(response: ServerResponse): Send {
  return (text) => !response.write(text);
}

function writeTicks(response: ServerResponse): Send {
  let collected = '';
  return (text) => {
    if (collected === '') {
      process.nextTick(() => {
        const all = collected;
        collected = '';
        response.write(all);
      });
    }
    collected += text;
    return response.writableNeedDrain;
  };
}
