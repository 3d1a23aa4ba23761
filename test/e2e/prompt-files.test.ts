import { toFile } from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsUserMessageEventParams as Message,
  EventSendParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { officialClient } from '../support/official-client.ts';
import { startRecordingProxy } from '../support/recording-proxy.ts';
import { ServerFixture } from '../support/server-fixture.ts';

/** One pixel. */
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const PDF = Buffer.from(
  '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n',
).toString('base64');
const WORDS = 'Plain words: 文件.';

function message(...content: Message['content']): EventSendParams {
  return { events: [{ type: 'user.message', content }] };
}

test('files of a message that waits reach the model although they are deleted and the server is killed', async () => {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  const proxy = await startRecordingProxy(simulator.url);
  onTestFinished(() => proxy.close());
  const server = await ServerFixture.start({ upstream: proxy });
  onTestFinished(() => server.end());
  const first = officialClient(server.url).beta;
  const keep = async (bytes: Buffer, type: string): Promise<string> =>
    (await first.files.upload({ file: await toFile(bytes, 'a', { type }) })).id;
  const png = await keep(Buffer.from(PNG, 'base64'), 'image/png');
  const pdf = await keep(Buffer.from(PDF, 'base64'), 'application/pdf');
  const plain = await keep(Buffer.from(WORDS), 'text/plain');
  const agent = await first.agents.create({ name: 'A', model: 'sonnet' });
  const environment = await first.environments.create({ name: 'E' });
  const made = { agent: agent.id, environment_id: environment.id };
  const { id } = await first.sessions.create({
    ...made,
    initial_events: message({ type: 'text', text: '[[stall headers]]' }).events.filter(
      (event) => event.type === 'user.message',
    ),
  });
  await vi.waitUntil(() => proxy.bodies.some((body) => body.includes('[[stall headers]]')), 20_000);
  await first.sessions.events.send(
    id,
    message(
      { type: 'text', text: 'What are these?' },
      { type: 'image', source: { type: 'file', file_id: png } },
      { type: 'document', source: { type: 'file', file_id: pdf }, title: 'A page' },
      { type: 'document', source: { type: 'file', file_id: plain } },
    ),
  );
  for (const file of [png, pdf, plain]) await first.files.delete(file);
  await server.kill('SIGKILL');
  await server.restart();

  const { sessions } = officialClient(server.url).beta;
  const idle = (turns: number): Promise<void> =>
    vi.waitFor(
      async () => {
        const { data } = await sessions.events.list(id, { types: ['session.status_idle'] });
        expect(data).toHaveLength(turns);
        expect(data.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
      },
      { timeout: 30_000, interval: 100 },
    );
  await idle(2);
  const asked: unknown = JSON.parse(proxy.bodies.at(-1) ?? '');
  expect(asked).toMatchObject({
    messages: expect.arrayContaining([
      {
        role: 'user',
        content: expect.arrayContaining([
          expect.objectContaining({ text: 'What are these?' }),
          expect.objectContaining({
            type: 'image',
            source: { type: 'base64', media_type: 'image/png', data: PNG },
          }),
          expect.objectContaining({
            type: 'document',
            title: 'A page',
            source: { type: 'base64', media_type: 'application/pdf', data: PDF },
          }),
          expect.objectContaining({
            type: 'document',
            source: { type: 'text', media_type: 'text/plain', data: WORDS },
          }),
        ]),
      },
    ]),
  });
  // From then on they are a part of the conversation, of which events show no byte.
  await sessions.events.send(id, message({ type: 'text', text: 'And now?' }));
  await idle(3);
  for (const bytes of [PNG, PDF, WORDS]) expect(proxy.bodies.at(-1)).toContain(bytes);
  const listed = JSON.stringify((await sessions.events.list(id)).data);
  const named = await (await fetch(`${server.url}/sessions/${id}/events`)).text();
  for (const shown of [listed, named]) {
    expect(shown).toContain(png);
    for (const bytes of [PNG, PDF, WORDS]) expect(shown).not.toContain(bytes);
  }
  expect(server.rows()['open_turns']).toBe(0);
});
