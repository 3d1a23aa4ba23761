import { createHash } from 'node:crypto';

/** The ids of one answer. */
export interface AnswerIds {
  /** `req_sim_…`, also the `request-id` header. */
  request: string;
  /** `msg_sim_…`. */
  message: string;
  /** The signature of its thinking block. */
  signature: string;
  /** `toolu_sim_…` for the block at this index. */
  tool(blockIndex: number): string;
}

/** Enough that two requests of a simulator's life do not meet. */
const DIGEST_CHARS = 20;

/** A short name for these bytes. */
export function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex').slice(0, DIGEST_CHARS);
}

/**
 * Ids from the digest of a request, so that the same request to a fresh simulator gets the same ids. `occurrence` counts
 * from 1 how often it came: a retry gets new ids, as from the API, and a tool id is never given twice.
 */
export function answerIds(requestId: string, digest: string, occurrence: number): AnswerIds {
  const stem = `${digest}${occurrence > 1 ? `_${occurrence}` : ''}`;
  return {
    request: requestId,
    message: `msg_sim_${stem}`,
    signature: Buffer.from(`simulated signature ${stem}`).toString('base64'),
    tool: (blockIndex) => `toolu_sim_${stem}_${blockIndex}`,
  };
}
