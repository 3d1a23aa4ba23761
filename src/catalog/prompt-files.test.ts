import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { PromptContent } from '../events/record.ts';
import type { SessionInput } from '../session/session-input.ts';
import { MemoryCatalogStore } from '../store/memory/memory-catalog-store.ts';
import { MemoryFileStore } from '../store/memory/memory-file-store.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { FakeHost } from '../../test/support/fake-host.ts';
import { Files } from './files.ts';
import { namesFiles, PromptFiles } from './prompt-files.ts';

useFakeClock();

const HOUR_MS = 3_600_000;

async function opened(maxBytes = 1_000) {
  const files = new Files({
    store: new MemoryCatalogStore(),
    bytes: new MemoryFileStore(),
    host: new FakeHost(),
    limits: { maxFileBytes: 10_000, maxKeyBytes: 100_000, maxKeyFiles: 100 },
    log: NO_TELEMETRY.log,
  });
  await files.recover();
  onTestFinished(() => files.close());
  const promptFiles = new PromptFiles({ files, maxBytes });
  return {
    files,
    complete: (...contents: PromptContent[]) =>
      promptFiles.complete('key-a', 'events', contents.map(prompt)),
    keep: async (
      bytes: string | Uint8Array,
      mimeType: string,
      expiresInMs: number | null = null,
    ) => {
      const description = { name: 'a', mimeType, expiresInMs };
      return (await files.create('key-a', source(bytes), async () => description)).id;
    },
  };
}

const prompt = (content: PromptContent): SessionInput => ({ kind: 'prompt', content });
const TEXT = { type: 'text', text: 'What is this?' } as const;

function image(file_id: string): PromptContent[number] {
  return { type: 'image', source: { type: 'file', file_id } };
}

function document(file_id: string): PromptContent[number] {
  return { type: 'document', source: { type: 'file', file_id }, title: 'T', context: 'C' };
}

function failure(code: string, message: string) {
  return expect.objectContaining({ code, message: expect.stringContaining(message) });
}

describe('files of prompts', () => {
  test('are given as the model takes them, in the place of the blocks that name them', async () => {
    const { complete, keep } = await opened();
    const bytes = new Uint8Array([0, 255, 128, 7]);
    const data = Buffer.from(bytes).toString('base64');
    const sources = [];
    for (const type of ['image/jpeg', 'image/png', 'image/gif', 'image/webp'])
      sources.push({ id: await keep(bytes, type), type });
    const pdf = await keep(bytes, 'application/pdf');
    const plain = await keep('文件 one', 'text/plain');
    const content = [TEXT, ...sources.map(({ id }) => image(id)), document(pdf), document(plain)];
    const [completed] = await complete(content);
    expect(completed).toEqual({
      kind: 'prompt',
      content,
      given: [
        TEXT,
        ...sources.map(({ type }) => ({
          type: 'image',
          source: { type: 'base64', media_type: type, data },
        })),
        {
          type: 'document',
          title: 'T',
          context: 'C',
          source: { type: 'base64', media_type: 'application/pdf', data },
        },
        {
          type: 'document',
          title: 'T',
          context: 'C',
          source: { type: 'text', media_type: 'text/plain', data: '文件 one' },
        },
      ],
    });
  });

  test('leave every other input as it is', async () => {
    const { complete, keep } = await opened();
    const id = await keep('x', 'image/png');
    const url: PromptContent = [
      { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
    ];
    const [first, second, third] = await complete([TEXT], [image(id)], url);
    expect(first).toEqual(prompt([TEXT]));
    expect(second).toHaveProperty('given');
    expect(third).toEqual(prompt(url));
    expect(namesFiles([prompt([TEXT]), prompt(url), { kind: 'interrupt' }])).toBe(false);
    expect(namesFiles([{ kind: 'interrupt' }, prompt([TEXT, image(id)])])).toBe(true);
  });

  test('are read once each, however often they are named', async () => {
    const { files, complete, keep } = await opened();
    const id = await keep('x', 'image/png');
    const read = vi.spyOn(files, 'read');
    await complete([image(id), image(id)], [image(id)]);
    expect(read).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['image/tiff', image, 'image/jpeg, image/png, image/gif, image/webp, got image/tiff'],
    ['application/pdf', image, 'image/webp, got application/pdf'],
    ['text/csv', document, 'application/pdf, text/plain, got text/csv'],
    ['image/png', document, 'application/pdf, text/plain, got image/png'],
  ])('of the type %s are refused where their block does not take it', async (type, block, says) => {
    const { complete, keep } = await opened();
    const id = await keep('x', type);
    await expect(complete([TEXT], [TEXT, block(id)])).rejects.toThrow(
      failure(
        'invalid_request',
        `events.1.content.1.source.file_id: expected a file of one of the types`,
      ),
    );
    await expect(complete([block(id)])).rejects.toThrow(failure('invalid_request', says));
  });

  test('are refused in each place by what that takes, also when another took it', async () => {
    const { complete, keep } = await opened();
    const id = await keep('x', 'application/pdf');
    await expect(complete([document(id), image(id)])).rejects.toThrow(
      failure('invalid_request', 'events.0.content.1.source.file_id'),
    );
  });

  test('are refused when they are empty, or text that is not UTF-8', async () => {
    const { complete, keep } = await opened();
    const empty = await keep('', 'text/plain');
    await expect(complete([document(empty)])).rejects.toThrow(failure('invalid_request', 'empty'));
    const latin = await keep(new Uint8Array([72, 228, 33]), 'text/plain');
    await expect(complete([TEXT, document(latin)])).rejects.toThrow(
      failure('invalid_request', 'events.0.content.1.source.file_id: expected a file of text'),
    );
  });

  test("are not there when they are another tenant's, deleted or expired, and the field is named", async () => {
    const { files, complete, keep } = await opened();
    const deleted = await keep('x', 'image/png');
    await files.remove('key-a', deleted);
    const foreign = await files.create('key-b', source('x'), async () => ({
      name: 'a',
      mimeType: 'image/png',
      expiresInMs: null,
    }));
    for (const id of [deleted, foreign.id, 'file_none', '../../etc/passwd'])
      await expect(complete([TEXT, image(id)])).rejects.toThrow(
        failure('not_found', `events.0.content.1.source.file_id: No file "${id}"`),
      );
    const short = await keep('x', 'image/png', HOUR_MS);
    await complete([image(short)]);
    await pass(HOUR_MS);
    await expect(complete([image(short)])).rejects.toThrow(
      failure('file_expired', 'events.0.content.0.source.file_id: The file'),
    );
  });

  test('may have so many bytes together, as the model gets them, and nothing is read of more', async () => {
    const { files, complete, keep } = await opened(16);
    const three = await keep('xyz', 'image/png');
    const text = await keep('12345678', 'text/plain');
    // 4 + 4 + 8.
    await complete([image(three)], [image(three), document(text)]);
    const read = vi.spyOn(files, 'read');
    const four = await keep('xyza', 'image/png');
    await expect(complete([document(text), image(four), image(three)])).rejects.toThrow(
      failure(
        'payload_too_large',
        'events.0.content.2.source.file_id: expected at most 16 bytes (server.maxBodyBytes) in all files of a request, as base64 where they are no text; with this one they have 20.',
      ),
    );
    expect(read).not.toHaveBeenCalled();
  });
});

async function* source(bytes: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(bytes);
}
