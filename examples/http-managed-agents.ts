/**
 * Your own Managed Agents: the client of Anthropic's hosted service, unchanged, on this host. An agent that has to ask before
 * it writes makes a file, once it was allowed to. Talks to the server that ROUNDHOUSE_URL names (with ROUNDHOUSE_KEY, if it
 * asks for keys); without it starts one of its own, on the simulator.
 */
import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';

import { startServer } from './start-server.ts';

const given = process.env['ROUNDHOUSE_URL'];
const own = given === undefined ? await startServer() : undefined;
try {
  await work(given ?? own?.url ?? '');
  console.log('\nDone.');
} finally {
  await own?.stop();
}

async function work(baseURL: string): Promise<void> {
  const { beta } = new Anthropic({
    baseURL,
    apiKey: process.env['ROUNDHOUSE_KEY'] ?? 'none-needed',
  });
  const agent = await beta.agents.create({
    name: 'Scribe',
    model: 'sonnet',
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [{ name: 'write', permission_policy: { type: 'always_ask' } }],
      },
    ],
  });
  const environment = await beta.environments.create({ name: 'A folder of its own' });
  const session = await beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
    title: 'A note',
  });

  // The stream first: it shows what happens from now on.
  const events = await beta.sessions.events.stream(session.id);
  const prompt =
    'Write a note. [[tool Write {"file_path":"note.txt","content":"steam"}]] [[then say It is written.]]';
  await beta.sessions.events.send(session.id, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: prompt }] }],
  });

  const seen: string[] = [];
  for await (const event of events) {
    seen.push(event.type);
    if (event.type === 'agent.tool_use')
      console.log(`${event.name} (${event.evaluated_permission}): ${JSON.stringify(event.input)}`);
    if (event.type === 'agent.message')
      console.log(event.content.map((block) => (block.type === 'text' ? block.text : '')).join(''));
    if (event.type !== 'session.status_idle') continue;
    if (event.stop_reason.type !== 'requires_action') break;
    // From any connection, in any order, hours later or after a restart of the server.
    await beta.sessions.events.send(session.id, {
      events: event.stop_reason.event_ids.map((id) => ({
        type: 'user.tool_confirmation',
        tool_use_id: id,
        result: 'allow',
      })),
    });
  }
  assert.equal(seen.filter((type) => type === 'session.status_idle').length, 2);
  assert.ok(seen.includes('agent.tool_result'), 'The tool must have run, once it was allowed to.');
  const { status, usage } = await beta.sessions.retrieve(session.id);
  assert.equal(status, 'idle');
  console.log(`${usage.input_tokens} tokens in, ${usage.output_tokens} out`);
  await beta.sessions.delete(session.id);
}
