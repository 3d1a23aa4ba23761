/** Bounds of a time of creation, as the API's listings take them. */
export interface CreatedQuery {
  readonly 'created_at[gt]'?: string | undefined;
  readonly 'created_at[gte]'?: string | undefined;
  readonly 'created_at[lt]'?: string | undefined;
  readonly 'created_at[lte]'?: string | undefined;
}

/** The bounds as inclusive ones: times are kept to the millisecond. */
export function createdIn(query: CreatedQuery): {
  createdFrom: string | undefined;
  createdTo: string | undefined;
} {
  const from = [query['created_at[gte]'], shifted(query['created_at[gt]'], 1)];
  const to = [query['created_at[lte]'], shifted(query['created_at[lt]'], -1)];
  return {
    createdFrom: from
      .filter((bound) => bound !== undefined)
      .toSorted()
      .at(-1),
    createdTo: to.filter((bound) => bound !== undefined).toSorted()[0],
  };
}

function shifted(at: string | undefined, byMs: number): string | undefined {
  return at === undefined ? undefined : new Date(Date.parse(at) + byMs).toISOString();
}
