/**
 * The official Anthropic client against a running server: only its address and one header are ours. Talks to the server
 * that ROUNDHOUSE_URL names (with ROUNDHOUSE_KEY, if it asks for keys); without it starts one of its own, on the simulator.
 */
import Anthropic, { BadRequestError } from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { startServer } from './start-server.ts';

const given = process.env['ROUNDHOUSE_URL'];
const own = given === undefined ? await startServer() : undefined;
try {
  await talk(given ?? own?.url ?? '');
  console.log('\nDone.');
} finally {
  await own?.stop();
}

async function talk(baseURL: string): Promise<void> {
  const client = new Anthropic({
    baseURL,
    apiKey: process.env['ROUNDHOUSE_KEY'] ?? 'none-needed',
    defaultHeaders: { 'x-session-id': `example-${randomUUID()}` },
  });
  const [model] = (await client.models.list()).data;
  assert.ok(model, 'The server offers no model.');

  // as a stream
  console.log('\n> My name is Ada.');
  const stream = client.messages.stream({
    model: model.id,
    max_tokens: 1024,
    messages: [{ role: 'user', content: 'My name is Ada.' }],
  });
  stream.on('text', (text) => process.stdout.write(text));
  const first = await stream.finalMessage();
  assert.equal(first.stop_reason, 'end_turn');

  // as a whole; only the new message is sent, the session has the rest
  console.log('\n\n> What is my name?');
  const second = await client.messages.create({
    model: model.id,
    max_tokens: 1024,
    messages: [{ role: 'user', content: 'What is my name?' }],
  });
  const answer = second.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  console.log(answer);
  assert.ok(answer.includes('Ada'), 'The session must know the first prompt.');
  assert.ok(second.usage.output_tokens > 0);

  // errors are the client's own classes
  const empty = client.messages.create({ model: model.id, max_tokens: 1024, messages: [] });
  await assert.rejects(empty, BadRequestError);
}
