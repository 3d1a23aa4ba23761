import { z } from 'zod';

/** A record of a session, as far as the tests look at it. */
export const recordSchema = z.looseObject({
  number: z.number(),
  turnId: z.string().nullable(),
  type: z.string(),
  detail: z.looseObject({
    turnEnd: z
      .looseObject({
        reason: z.string(),
        error: z.looseObject({ code: z.string(), message: z.string() }).optional(),
      })
      .optional(),
  }),
});

export type SessionRecord = z.infer<typeof recordSchema>;

const pageSchema = z.object({ data: z.array(recordSchema), next: z.number().nullable() });

/** Every record of a session. */
export async function sessionRecords(url: string, session: string): Promise<SessionRecord[]> {
  const records: SessionRecord[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const response = await fetch(`${url}/sessions/${session}/events?limit=10000&after=${after}`);
    const page = pageSchema.parse(await response.json());
    records.push(...page.data);
    after = page.next;
  }
  return records;
}

/** The ends of a session's turns, in order. */
export function turnEnds(records: readonly SessionRecord[]): string[] {
  return records.flatMap(({ detail: { turnEnd } }) =>
    turnEnd === undefined ? [] : [turnEnd.error?.code ?? turnEnd.reason],
  );
}

/** 1, 2, 3 … as many as there are. */
export function numbersOf(records: readonly { number: number }[]): number[] {
  return records.map(({ number }) => number);
}

export function consecutive(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
