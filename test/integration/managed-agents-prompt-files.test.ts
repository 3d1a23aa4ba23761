import { randomUUID } from 'node:crypto';
import { BadRequestError, NotFoundError, toFile, type Anthropic } from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsUserMessageEventParams as Message,
  EventSendParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { describe, expect, onTestFinished, test, vi, type Mock } from 'vitest';
import { ScriptedProcess } from '../../src/agent/scripted/scripted-process.ts';
import type { PromptContent } from '../../src/events/record.ts';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';
import { HANGS, scriptOf } from '../support/scripts.ts';

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255]);
const BYTES = PNG.toString('base64');
const PDF = Buffer.from('%PDF-1.7 of bytes');

interface World extends CatalogServer {
  /** The parameters of every session. */
  readonly made: { readonly agent: string; readonly environment_id: string };
  readonly id: string;
  /** What agents were prompted with. */
  readonly prompts: () => PromptContent[];
}

async function start(): Promise<World> {
  const spy: Mock<ScriptedProcess['prompt']> = vi.spyOn(ScriptedProcess.prototype, 'prompt');
  onTestFinished(() => spy.mockRestore());
  const server = await catalogServer({ pool: { driver: { script: scriptOf({ hang: HANGS }) } } });
  const { beta } = server.alice;
  const agent = await beta.agents.create({ name: 'A', model: 'sonnet' });
  const environment = await beta.environments.create({ name: 'E' });
  const made = { agent: agent.id, environment_id: environment.id };
  const { id } = await beta.sessions.create(made);
  return { ...server, made, id, prompts: () => spy.mock.calls.map(([{ content }]) => content) };
}

async function upload({ beta }: Anthropic, bytes: Buffer, type: string): Promise<string> {
  const file = await toFile(bytes, 'a', { type });
  return (await beta.files.upload({ file })).id;
}

function image(file_id: string): Message {
  return { type: 'user.message', content: [{ type: 'image', source: { type: 'file', file_id } }] };
}

const says = (text: string): Message => ({
  type: 'user.message',
  content: [{ type: 'text', text }],
});

async function events({ beta }: Anthropic, id: string) {
  return (await beta.sessions.events.list(id, { limit: 1_000 })).data;
}

async function idle(client: Anthropic, id: string, turns = 1): Promise<void> {
  await vi.waitFor(async () => {
    const all = await events(client, id);
    expect(all.filter(({ type }) => type === 'session.status_idle')).toHaveLength(turns);
  });
}

const GIVEN: PromptContent[number] = {
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: BYTES },
};

describe('a message that names files', () => {
  test('reaches the agent with their bytes, and readers as it was sent, wherever they read', async () => {
    const { alice, id, url, prompts } = await start();
    const png = await upload(alice, PNG, 'image/png');
    const pdf = await upload(alice, PDF, 'application/pdf');
    const plain = await upload(alice, Buffer.from('plain 文'), 'text/plain');
    const content = [
      { type: 'text', text: 'What are these?' },
      { type: 'image', source: { type: 'file', file_id: png } },
      { type: 'document', source: { type: 'file', file_id: pdf }, title: 'A PDF' },
      { type: 'document', source: { type: 'file', file_id: plain } },
    ] satisfies Message['content'];
    const stream = await alice.beta.sessions.events.stream(id);
    const named = fetch(`${url}/sessions/${id}/events`, {
      headers: { 'x-api-key': 'key-a', accept: 'text/event-stream' },
    });
    const { data: sent } = await alice.beta.sessions.events.send(id, {
      events: [{ type: 'user.message', content }],
    });
    expect(sent).toMatchObject([{ content, processed_at: null }]);
    const seen: string[] = [];
    for await (const event of stream) {
      seen.push(JSON.stringify(event));
      if (event.type === 'session.status_idle') break;
    }
    expect(prompts()).toEqual([
      [
        content[0],
        GIVEN,
        {
          type: 'document',
          title: 'A PDF',
          source: {
            type: 'base64',
            media_type: 'application/pdf',
            data: PDF.toString('base64'),
          },
        },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'plain 文' } },
      ],
    ]);
    const page = await fetch(`${url}/sessions/${id}/events`, { headers: { 'x-api-key': 'key-a' } });
    const shown = [
      seen.join('\n'),
      JSON.stringify(await events(alice, id)),
      JSON.stringify(sent),
      await page.text(),
    ];
    // It ends the stream that is read by name.
    await alice.beta.sessions.delete(id);
    shown.push(await (await named).text());
    for (const text of shown) {
      expect(text).toContain(png);
      expect(text).not.toContain(BYTES);
      expect(text).not.toContain('plain 文');
      expect(text).not.toContain('given');
    }
  });

  test('has them although they are deleted while it waits, as an initial one too', async () => {
    const { alice, made, prompts } = await start();
    const [first, second] = [
      await upload(alice, PNG, 'image/png'),
      await upload(alice, PNG, 'image/png'),
    ];
    const { id } = await alice.beta.sessions.create({
      ...made,
      initial_events: [says('hang'), image(first)],
    });
    await alice.beta.sessions.events.send(id, { events: [image(second)] });
    for (const file of [first, second]) await alice.beta.files.delete(file);
    await alice.beta.sessions.events.send(id, { events: [{ type: 'user.interrupt' }] });
    await idle(alice, id, 3);
    expect(prompts()).toEqual([[{ type: 'text', text: 'hang' }], [GIVEN], [GIVEN]]);
  });

  test('is answered again under its key when they are gone, and prompts once', async () => {
    const { alice, id, prompts } = await start();
    const file = await upload(alice, PNG, 'image/png');
    const headers = { 'Idempotency-Key': randomUUID() };
    const body: EventSendParams = { events: [image(file)] };
    const first = await alice.beta.sessions.events.send(id, body, { headers });
    await alice.beta.files.delete(file);
    expect(await alice.beta.sessions.events.send(id, body, { headers })).toEqual(first);
    await failure(alice.beta.sessions.events.send(id, body), NotFoundError);
    await idle(alice, id);
    expect(prompts()).toEqual([[GIVEN]]);
  });

  test('is refused as a whole where a file is not there, with the field, and nothing is kept', async () => {
    const { alice, bob, id, made, prompts } = await start();
    const there = await upload(alice, PNG, 'image/png');
    const foreign = await upload(bob, PNG, 'image/png');
    const sent = [says('first'), image(there), image(foreign)];
    const refused = alice.beta.sessions.events.send(id, { events: sent });
    const { message, errorCode } = await failure(refused, NotFoundError);
    expect(errorCode).toBe('not_found');
    expect(message).toContain('"events.2.content.0.source.file_id: No file');
    expect(message).toContain(foreign);
    const created = alice.beta.sessions.create({ ...made, initial_events: sent });
    expect((await failure(created, NotFoundError)).message).toContain(
      '"initial_events.2.content.0.source.file_id',
    );
    expect((await alice.beta.sessions.list()).data.map((session) => session.id)).toEqual([id]);
    expect(await events(alice, id)).toEqual([]);
    expect(prompts()).toEqual([]);
  });

  test('is refused with a file of another type, or with more than a body may have', async () => {
    const { alice, id, ...server } = await start();
    const csv = await upload(alice, Buffer.from('a,b'), 'text/csv');
    const refused = alice.beta.sessions.events.send(id, { events: [says('a'), image(csv)] });
    expect((await failure(refused, BadRequestError)).message).toContain(
      '"events.1.content.0.source.file_id: expected a file of one of the types image/jpeg',
    );
    const large = await upload(alice, Buffer.alloc(400_000), 'image/png');
    const answer = await server.post(`/v1/sessions/${id}/events`, {
      events: [image(large), image(large)],
    });
    expect(answer).toMatchObject({
      status: 413,
      body: {
        error: {
          type: 'request_too_large',
          message: expect.stringContaining('expected at most 1000000 bytes (server.maxBodyBytes)'),
        },
      },
    });
    for (const file_id of ['', 7, null]) {
      const source = { type: 'file', file_id };
      const content = [{ type: 'image', source }];
      const { status, body } = await server.post(`/v1/sessions/${id}/events`, {
        events: [{ type: 'user.message', content }],
      });
      expect(status).toBe(400);
      expect(JSON.stringify(body)).toContain('events.0.content.0.source.file_id');
    }
    expect(await events(alice, id)).toEqual([]);
  });

  test('stands in a fork as it was sent', async () => {
    const { alice, id } = await start();
    const file = await upload(alice, PNG, 'image/png');
    await alice.beta.sessions.events.send(id, { events: [image(file)] });
    await idle(alice, id);
    await alice.beta.files.delete(file);
    const fork = await alice.post<{ id: string }>(`/v1/sessions/${id}/roundhouse/fork`, {
      body: {},
    });
    const [first] = await events(alice, fork.id);
    expect(first).toMatchObject(image(file));
  });
});
