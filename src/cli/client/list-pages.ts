/** The most that the API gives at once. */
const PAGE_SIZE = 100;
const DEFAULT_LIMIT = 20;

/** Flags of every command that lists. */
export interface ListFlags {
  readonly limit?: number;
  readonly all?: boolean;
  readonly page?: string;
  readonly archived?: boolean;
}

/** What was found, in the form of the API: `next_page` is where the rest begins. */
export interface Listing<T> {
  readonly data: readonly T[];
  readonly next_page: string | null;
}

/** What is asked for one page. */
export interface PageRequest {
  readonly limit: number;
  readonly page?: string;
  readonly include_archived?: boolean;
}

/** Gathers as many as were asked for (`--limit`, by default 20; `--all`: until the end), in as many requests as that takes. */
export async function listPages<T>(
  flags: ListFlags,
  fetchPage: (request: PageRequest) => Promise<Listing<T>>,
): Promise<Listing<T>> {
  const wanted = flags.all === true ? Infinity : (flags.limit ?? DEFAULT_LIMIT);
  const data: T[] = [];
  let page: string | null = flags.page ?? null;
  do {
    const found: Listing<T> = await fetchPage({
      limit: Math.min(PAGE_SIZE, wanted - data.length),
      ...(page !== null && { page }),
      ...(flags.archived === true && { include_archived: true }),
    });
    data.push(...found.data);
    page = found.next_page;
  } while (page !== null && data.length < wanted);
  return { data, next_page: page };
}
