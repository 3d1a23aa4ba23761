import type { IncomingMessage } from 'node:http';
import { ApiError } from './errors.ts';

/**
 * Reads a request's body. One over `maxBytes` is read to its end, so that the client can read the answer, but not kept,
 * and rejects with a 413 {@link ApiError}. A client that goes away rejects with its socket's error.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (bytes > maxBytes) {
    throw new ApiError(413, `Request exceeds the maximum size of ${maxBytes} bytes.`);
  }
  return Buffer.concat(chunks);
}

/** Parses a body as JSON. Throws a 400 {@link ApiError}. */
export function parseBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ApiError(400, `The request body is not valid JSON: ${reason}`);
  }
}
