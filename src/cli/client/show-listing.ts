import type { Column } from '../output/table.ts';
import type { Listing } from './list-pages.ts';
import type { Output } from '../output/output.ts';
import { typedCommand } from '../context.ts';

/** A listing as a table, or as it is with `--json`. `command` is what lists them, for the hint at the rest. */
export function showListing<T>(
  out: Output,
  listing: Listing<T>,
  columns: readonly Column<T>[],
  command: string,
): void {
  if (out.json) return out.document(listing);
  if (listing.data.length === 0)
    out.note(`None. \`${typedCommand(command, '--help')}\` says more.`);
  else out.table(columns, listing.data);
  if (listing.next_page !== null) {
    out.note(`There are more: --all, or --page ${listing.next_page}`);
  }
}
