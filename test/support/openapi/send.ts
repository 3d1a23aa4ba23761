import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { MULTIPART, MULTIPART_WITH_BOUNDARY, multipartOf } from './multipart.ts';
import type { Answer } from './answer-checker.ts';

/** A request as it goes over the wire: nothing is put in order on its way. */
export interface WireRequest {
  readonly method: string;
  /** With the query, encoded. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** A body given as JSON, in the form of its media type, and the header that says so. */
export function encoded(media: string, json: string): Pick<WireRequest, 'headers' | 'body'> {
  if (media !== MULTIPART) return { headers: { 'content-type': media }, body: json };
  return {
    headers: { 'content-type': MULTIPART_WITH_BOUNDARY },
    body: multipartOf(JSON.parse(json)),
  };
}

/** Sends a request and reads the answer. A stream that is followed has no end: of it only the head is read. */
export async function send(url: string, wire: WireRequest): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const { method, target, headers, body } = wire;
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const request = httpRequest({
    hostname,
    port,
    method,
    path: target,
    headers: { ...headers, ...length },
    // A connection for each: one that the server closed behind an answer must not spoil the next request.
    agent: false,
  });
  // Behind the response: the connection is closed on whoever still sends.
  request.on('error', () => {});
  const answered: Promise<IncomingMessage[]> = once(request, 'response');
  request.end(body);
  const [response] = await answered;
  if (response === undefined) throw new Error('There was no response.');
  const isFollowed =
    method === 'GET' && (response.headers['content-type'] ?? '').startsWith('text/event-stream');
  const text = isFollowed ? '' : await bodyOf(response);
  if (isFollowed) {
    // Left on purpose.
    response.on('error', () => {});
    response.destroy();
  }
  const head = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
  return { status: response.statusCode ?? 0, headers: Object.fromEntries(head), body: text };
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
