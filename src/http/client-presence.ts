import type { ServerResponse } from 'node:http';

/**
 * A signal that aborts when the client goes before the response is complete. It listens on the response: the request's
 * `close` comes as soon as its body was read.
 */
export function clientGoneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished)
      controller.abort(new Error('The client closed the connection.'));
  });
  return controller.signal;
}
