/** A content block, reduced to what an answer depends on. */
export type Block =
  | { type: 'text'; text: string }
  | { type: 'image' }
  | { type: 'document' }
  | { type: 'tool_use'; id: string; name: string }
  | { type: 'tool_result'; toolUseId: string; text: string; isError: boolean }
  | { type: 'other' };

/** A message of a request. Claude Code puts `system` messages between the others. */
export interface Message {
  role: 'user' | 'assistant' | 'system';
  blocks: Block[];
}
