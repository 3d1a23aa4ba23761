import type { AgentSpec } from '../../contracts/agent-driver.ts';
import type { TranscriptEntry } from '../../contracts/transcripts.ts';
import type { MessageWriter } from './message-writer.ts';

/** One turn as it is being played. */
export interface PlayedTurn {
  readonly promptId: string;
  readonly text: string;
  readonly model: string;
  readonly answers: 'client' | 'nobody';
  readonly writer: MessageWriter;
  readonly signal: AbortSignal;
}

/** Adds an entry to the transcript of the conversation. */
export async function appendEntry(
  { agentSessionId, transcripts }: AgentSpec,
  entry: TranscriptEntry,
): Promise<void> {
  await transcripts.append({ agentSessionId, subpath: '' }, [entry]);
}
