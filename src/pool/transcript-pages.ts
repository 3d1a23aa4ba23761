import type { TranscriptStore, TranscriptEntry } from '../contracts/transcripts.ts';

/** Entries of one transcript of a session. */
export interface TranscriptPart {
  /** `''` is the conversation itself, another one that of a subagent. */
  readonly subpath: string;
  readonly entries: readonly TranscriptEntry[];
}

const PAGE = { limit: 256, maxBytes: 1_048_576 };

/** All transcripts of a conversation, its own first, in parts: no more of it is held than one part. */
export async function* transcriptPages(
  transcripts: TranscriptStore,
  agentSessionId: string,
): AsyncGenerator<TranscriptPart, void, undefined> {
  for (const subpath of await transcripts.listSubpaths(agentSessionId)) {
    for (let after: number | null = 0; after !== null;) {
      const page = await transcripts.read({ agentSessionId, subpath }, { after, ...PAGE });
      if (page.entries.length > 0) yield { subpath, entries: page.entries };
      after = page.next;
    }
  }
}
