import type { ServerResponse } from 'node:http';
import { sleep } from '../time/timers.ts';
import { PING_FRAME } from './events.ts';
import type { WireStep } from './events.ts';

/** Frames are collected up to this many characters before they go to the socket, as long as nothing waits for them. */
const WRITE_CHARS = 16_384;

/** How a stream is played. */
export interface PlayOptions {
  /** The wait before each piece of content, in milliseconds; 0: none. */
  delayMs: number;
  /** Aborts when the client is gone or the simulator closes. */
  gone: AbortSignal;
}

/**
 * Plays the steps of an answer as server-sent events, no faster than the client reads. Resolves when the answer ended, was
 * cut, or the client went; never rejects because the client went.
 */
export async function playStream(
  response: ServerResponse,
  steps: Iterable<WireStep>,
  { delayMs, gone }: PlayOptions,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  response.flushHeaders();
  let pending = '';
  const flush = async (): Promise<void> => {
    const frames = pending;
    pending = '';
    await write(response, frames, gone);
  };
  for (const step of steps) {
    if (gone.aborted) return;
    if (step.do === 'send') {
      if (step.paced && delayMs > 0) {
        await flush();
        if (!(await waited(delayMs, gone))) return;
      }
      pending += step.frame;
      if (pending.length >= WRITE_CHARS) await flush();
      continue;
    }
    await flush();
    if (step.do === 'cut') response.destroy();
    if (step.do === 'hang') await aborted(gone);
    if (step.do === 'ping-forever') await pingForever(response, step.everyMs, gone);
    return;
  }
  await flush();
  if (!gone.aborted) response.end();
}

/** Resolves when the signal has aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function pingForever(
  response: ServerResponse,
  everyMs: number,
  gone: AbortSignal,
): Promise<void> {
  while (await waited(everyMs, gone)) await write(response, PING_FRAME, gone);
}

/** Resolves when the frames are handed to the socket and it takes more, or the client is gone. */
function write(response: ServerResponse, frames: string, gone: AbortSignal): Promise<void> {
  if (frames === '' || gone.aborted || response.write(frames)) return Promise.resolve();
  return new Promise((resolve) => {
    const onDone = (): void => {
      response.off('drain', onDone);
      gone.removeEventListener('abort', onDone);
      resolve();
    };
    response.once('drain', onDone);
    gone.addEventListener('abort', onDone, { once: true });
  });
}

/** False when the client went during the wait. */
function waited(delayMs: number, gone: AbortSignal): Promise<boolean> {
  return sleep(delayMs, gone).then(
    () => true,
    () => false, // sleep rejects only because of the signal, and a client that went is no error
  );
}
