import { z } from 'zod';

const blockSchema = z.looseObject({ type: z.string(), text: z.string().optional() });

/** A record of a session's log, as far as the checks look at it. Everything else of it is kept, for its digest. */
export const recordSchema = z.looseObject({
  number: z.number(),
  turnId: z.string().nullable(),
  type: z.string(),
  at: z.string(),
  body: z.looseObject({ content: z.array(blockSchema).optional() }),
  detail: z.looseObject({
    delivered: z.boolean().optional(),
    parentToolUseId: z.string().optional(),
    turnEnd: z
      .looseObject({ reason: z.string(), error: z.looseObject({ code: z.string() }).optional() })
      .optional(),
  }),
});

export type LogRecord = z.infer<typeof recordSchema>;

const pageSchema = z.object({ data: z.array(recordSchema), next: z.number().nullable() });

const PAGE = 5_000;

/** Every record of a session; undefined when there is no such session. Rejects for any other answer than these two. */
export async function readLog(
  url: string,
  session: string,
  key?: string,
): Promise<LogRecord[] | undefined> {
  const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key };
  const records: LogRecord[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const query = `limit=${PAGE}&after=${after}`;
    const response = await fetch(`${url}/sessions/${session}/events?${query}`, { headers });
    const body: unknown = await response.json();
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${response.status} for the events of ${session}`);
    const page = pageSchema.parse(body);
    records.push(...page.data);
    after = page.next;
  }
  return records;
}

/** The text blocks of a record, joined. */
export function textOf(record: LogRecord): string {
  return (record.body.content ?? [])
    .map(({ type, text }) => (type === 'text' ? (text ?? '') : ''))
    .join('');
}

/** How a turn ended, in one word. */
export function endWord(record: LogRecord): string | undefined {
  const end = record.detail.turnEnd;
  return end && (end.error?.code ?? end.reason);
}
