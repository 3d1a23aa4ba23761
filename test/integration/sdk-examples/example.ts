import type Anthropic from '@anthropic-ai/sdk';
import type { CatalogServer } from '../../support/catalog-server.ts';

/** What becomes of an example of the SDK here: it runs, or this host does not offer what it asks for. */
export type Example =
  | { readonly run: (server: CatalogServer) => Promise<void> }
  | {
      /** Why, as docs/managed-agents.md says it. */
      readonly reason: string;
      /** The example; it is told that there is no such route. */
      readonly refused: (client: Anthropic) => Promise<unknown>;
    };

/** By what they document. */
export type Examples = Readonly<Record<string, Example>>;

/** A time of an answer. */
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Everything of a list, over all of its pages. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
