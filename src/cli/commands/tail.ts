import type Anthropic from '@anthropic-ai/sdk';

import type { ClientFlags } from '../client/connection.ts';
import type { CliContext } from '../context.ts';
import type { Paint } from '../output/style.ts';
import { describeEvent } from '../session/describe-event.ts';
import { leavingSignal } from '../client/leaving-signal.ts';
import { onOneLine, printable } from '../output/printable.ts';
import { paintFor } from '../output/style.ts';
import { SessionFeed, type FeedEvent, type FeedStart } from '../session/session-feed.ts';
import { UsageError } from '../usage-error.ts';
import { withServer } from '../client/with-server.ts';

/** Flags of `roundhouse sessions tail`. */
export interface TailFlags extends ClientFlags {
  readonly all?: boolean;
  readonly from?: number;
  readonly after?: string;
}

const TYPE_COLUMNS = 26;
/** The time, the type, and the blanks behind them. */
const INDENT = ' '.repeat('00:00:00  '.length + TYPE_COLUMNS + 2);

/**
 * `roundhouse sessions tail ID`: what happens in a session, as it happens, until Ctrl-C. A connection that is lost is made
 * again, and no event is shown twice or left out.
 */
export function tailSession(id: string, flags: TailFlags, context: CliContext): Promise<number> {
  const places = [flags.all, flags.from, flags.after].filter((place) => place !== undefined);
  return withServer(flags, context, async ({ client, out }) => {
    if (places.length > 1) {
      throw new UsageError('--all, --from and --after: expected one of them at most.');
    }
    const { signal, stop } = leavingSignal(context);
    try {
      const place = await placeOf(client, id, flags);
      const feed = await SessionFeed.open({
        client,
        sessionId: id,
        signal,
        onLost: () => out.note('The connection was lost; trying again.'),
        ...place,
      });
      const paint = paintFor(context.stdout, context.env);
      for await (const event of feed) {
        if (out.json) out.jsonLine(event);
        else context.stdout.write(lineOf(event, paint));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      stop();
    }
  });
}

/** Where to begin. Now is behind the last event that there is: so nothing is left out when the first connection breaks early. */
async function placeOf(
  client: Anthropic,
  id: string,
  { all, from, after }: TailFlags,
): Promise<FeedStart> {
  if (after !== undefined) return { after };
  if (all === true || from !== undefined) return { from: from ?? 1 };
  const { data, next_page } = await client.beta.sessions.events.list(id, {
    order: 'desc',
    limit: 1,
  });
  const last = data[0];
  if (last !== undefined) return { after: last.id };
  // Where the last one is none that the API shows, there is no better place than now.
  return next_page === null ? { from: 1 } : {};
}

function lineOf(event: FeedEvent, paint: Paint): string {
  const at = 'processed_at' in event && event.processed_at ? event.processed_at : '';
  const time = at.slice(11, 19).padEnd(8);
  const { text, style } = describeEvent(event);
  const head = `${paint(printable(time), 'dim')}  ${onOneLine(event.type).padEnd(TYPE_COLUMNS)}`;
  const body = printable(text).trimEnd().replaceAll('\n', `\n${INDENT}`);
  return `${`${head}  ${paint(body, style)}`.trimEnd()}\n`;
}
