import { after } from '../time/timers.ts';

/** Passes texts on, and calls `onStall` when nobody asks for the next one within `limitMs`. */
export async function* untilStalled(
  texts: AsyncIterable<string>,
  limitMs: number,
  onStall: () => void,
): AsyncGenerator<string> {
  for await (const text of texts) {
    const timer = after(limitMs, onStall);
    try {
      yield text;
    } finally {
      timer.cancel();
    }
  }
}
