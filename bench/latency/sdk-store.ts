import type { SessionStore } from '@anthropic-ai/claude-agent-sdk';

import type { TranscriptStore } from '../../src/contracts/transcripts.ts';

/** A transcript store of ours as the SDK's session store, both ways, for the bare SDK to resume from. */
export function sdkStore(transcripts: TranscriptStore): SessionStore {
  return {
    append: ({ sessionId, subpath = '' }, entries) =>
      transcripts.append({ agentSessionId: sessionId, subpath }, entries),
    async load({ sessionId, subpath = '' }) {
      const entries = await transcripts.load({ agentSessionId: sessionId, subpath });
      return entries.length === 0 ? null : entries;
    },
    listSubkeys: async ({ sessionId }) =>
      (await transcripts.listSubpaths(sessionId)).filter((subpath) => subpath !== ''),
  };
}
