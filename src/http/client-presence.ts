import type { ServerResponse } from 'node:http';

/** Why work for a client ends that has gone. Nothing has failed, and nobody hears of it. */
export class ClientGone extends Error {
  constructor() {
    super('The client closed the connection.');
  }
}

/**
 * A signal that aborts when the client goes before the response is complete. It listens on the response: the request's
 * `close` comes as soon as its body was read.
 */
export function clientGoneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new ClientGone());
  });
  return controller.signal;
}
