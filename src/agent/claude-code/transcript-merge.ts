import type {
  TranscriptEntry,
  TranscriptKey,
  TranscriptStore,
} from '../../contracts/transcripts.ts';
import { isAgentMetadata } from './transcript.ts';

/**
 * Adds to a stored transcript what it lacks of entries that belong to it; returns how many. Nobody else may write to this
 * transcript meanwhile.
 */
export async function addEntries(
  transcripts: TranscriptStore,
  key: TranscriptKey,
  entriesFor: (stored: readonly TranscriptEntry[]) => readonly TranscriptEntry[],
): Promise<number> {
  const stored = await transcripts.load(key);
  const all = mergedEntries(stored, entriesFor(stored));
  const added = all.length - stored.length;
  if (added === 0) return 0;
  const atEnd = all.slice(0, stored.length).every((entry, index) => entry === stored[index]);
  if (atEnd) await transcripts.append(key, all.slice(stored.length));
  else await transcripts.replace(key, all);
  return added;
}

/**
 * The stored entries with what they lack of `own`: each behind the one with a uuid that precedes it in `own`, those at the
 * beginning before the first that is stored. Nothing that is stored changes its place, its content or its order.
 */
export function mergedEntries(
  stored: readonly TranscriptEntry[],
  own: readonly TranscriptEntry[],
): TranscriptEntry[] {
  const known = new Set(stored.map(identityOf));
  const behind = new Map<string | undefined, TranscriptEntry[]>();
  let anchor: string | undefined;
  let first: string | undefined;
  for (const entry of own) {
    const identity = identityOf(entry);
    if (known.has(identity)) {
      // The agent repeats bookkeeping word by word: where an entry without a uuid stands says nothing.
      if (entry.uuid !== undefined) anchor = identity;
      first ??= identity;
    } else {
      behind.set(anchor, [...(behind.get(anchor) ?? []), entry]);
    }
  }
  const leading = behind.get(undefined) ?? [];
  const merged = stored.flatMap((entry) => {
    const identity = identityOf(entry);
    const after = behind.get(identity) ?? [];
    behind.delete(identity);
    return identity === first ? [...leading.splice(0), entry, ...after] : [entry, ...after];
  });
  return [...merged, ...leading];
}

/** What makes two entries the same one. Those without a uuid are the agent's own bookkeeping, and told by their content. */
function identityOf(entry: TranscriptEntry): string {
  return entry.uuid ?? (isAgentMetadata(entry) ? entry.type : JSON.stringify(entry));
}
