import { z } from 'zod';

import type { Sender } from './runs.ts';
import type { Child } from '../child.ts';

/** Starts a process of the bench from a file; it ends with the suite. */
export type StartProcess = (file: URL) => Child;

/** Reads the streams of all senders. */
export const CLIENT = new URL('client-process.ts', import.meta.url);
const SERVER = new URL('server-process.ts', import.meta.url);

/** Starts a server of this room; its streams are answers of `/v1/messages`. */
export async function startSender(
  start: StartProcess,
  mode: 'ours' | 'each' | 'tick',
  name: string,
): Promise<Sender> {
  const server = start(SERVER);
  const url = await server.call('start', mode, z.string());
  return { name, server, url, kind: 'messages', session: (index) => `stream-${index}` };
}

/** The least that `node:http` can do with the same events, both ways. */
export async function startBareSenders(start: StartProcess): Promise<Sender[]> {
  return [
    await startSender(start, 'each', 'node:http, a write per event'),
    await startSender(start, 'tick', 'node:http, a write per tick'),
  ];
}
