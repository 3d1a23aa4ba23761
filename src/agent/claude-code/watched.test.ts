import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import { expect, test } from 'vitest';

import type { AgentMessage } from '../../contracts/agent-watcher.ts';
import { createRedact } from './redact.ts';
import { watchedBy } from './watched.ts';

const SECRET = 'sk-se"cret-value';
const redact = createRedact({ ANTHROPIC_API_KEY: SECRET });

function message(text: string): SDKMessage {
  return {
    type: 'user',
    message: { role: 'user', content: [{ type: 'text', text }] },
    parent_tool_use_id: null,
    session_id: 'id',
  };
}

test('a message is shown as it is, without a secret however JSON spells it', () => {
  const shown: AgentMessage[] = [];
  const watcher = {
    watches: () => true,
    show: (_id: string, each: AgentMessage) => shown.push(each),
  };
  watchedBy(watcher, 'sesn_1', redact)(message(`it is ${SECRET}, see?`));
  expect(shown).toEqual([
    { type: 'user', json: JSON.stringify(message('it is [redacted], see?')) },
  ]);
});

test('nothing is made of a message that nobody looks at', () => {
  const unread: SDKMessage = Object.defineProperty(message('x'), 'message', {
    enumerable: true,
    get: () => {
      throw new Error('it was read');
    },
  });
  const watcher = {
    watches: (id: string) => id === 'sesn_2',
    show: () => {
      throw new Error('it was shown');
    },
  };
  const looking = [watcher, undefined].map((each) => watchedBy(each, 'sesn_1', redact));
  expect(() => looking.map((watch) => watch(unread))).not.toThrow();
});
