import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APIError, BadRequestError, NotFoundError, toFile } from '@anthropic-ai/sdk';
import { FileExpiredError, StorageQuotaExceededError } from '@anthropic-ai/sdk/resources/files';
import type { BetaFileMetadata, FileListParams } from '@anthropic-ai/sdk/resources/beta/files';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';

let server: CatalogServer;

beforeEach(async () => {
  server = await catalogServer();
});

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function upload(
  text: string | Uint8Array = 'text',
  name = 'a.txt',
  type?: string,
): Promise<BetaFileMetadata> {
  const options = type === undefined ? undefined : { type };
  return server.alice.beta.files.upload({ file: await toFile(Buffer.from(text), name, options) });
}

async function download(id: string): Promise<Buffer> {
  const response = await server.alice.beta.files.download(id);
  return Buffer.from(await response.arrayBuffer());
}

/** A file on disk, which goes with the test. */
async function onDisk(name: string, content: string | Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-upload-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe('an upload', () => {
  it('comes back byte for byte, however it was sent', async () => {
    const bytes = Uint8Array.from({ length: 700_001 }, (_, index) => (index * 7919) % 256);
    const path = await onDisk('b.bin', bytes);
    const files = [
      new File([bytes], 'file.bin'),
      await toFile(Buffer.from(bytes), 'buffer.bin'),
      await toFile(createReadStream(path)),
      createReadStream(path),
      new Response(bytes, { headers: { 'content-type': 'application/x-thing' } }),
    ];
    for (const file of files) {
      const { id, size_bytes } = await server.alice.beta.files.upload({ file });
      expect(size_bytes).toBe(bytes.length);
      expect((await download(id)).equals(bytes)).toBe(true);
    }
  });

  it('works through `client.files` too, and with an empty file', async () => {
    const file = await server.alice.files.upload({ file: await toFile(Buffer.alloc(0), 'empty') });
    expect(file).toMatchObject({ filename: 'empty', size_bytes: 0 });
    expect(await download(file.id)).toHaveLength(0);
  });
});

/** Sent by hand: the client sends no path, and quotes in a code. */
function named(header: string, type?: string): Promise<Response> {
  const typed = type === undefined ? '' : `content-type: ${type}\r\n`;
  return server.send(
    `--b\r\ncontent-disposition: form-data; name="file"${header}\r\n${typed}\r\nx\r\n--b--\r\n`,
  );
}

describe('the name and type of an upload', () => {
  it.each([
    ['; filename="a.txt"', 'text/plain', 'a.txt', 'text/plain'],
    ['; filename="/etc/passwd"', 'text/plain', 'passwd', 'text/plain'],
    ['; filename="..\\..\\a.csv"', 'text/csv', 'a.csv', 'text/csv'],
    ['; filename="../.."', 'text/csv', 'unnamed.csv', 'text/csv'],
    ['; filename=""', 'image/png', 'unnamed.png', 'image/png'],
    ['', 'application/pdf', 'unnamed.pdf', 'application/pdf'],
    ['', 'application/x-thing', 'unnamed', 'application/x-thing'],
    ['; filename="дом 🚂.MD"', 'application/octet-stream', 'дом 🚂.MD', 'text/markdown'],
    ['; filename="a.bin"', 'application/octet-stream', 'a.bin', 'application/octet-stream'],
    ['; filename="a.png"', 'text/plain; charset=utf-16', 'a.png', 'text/plain'],
    ['; filename="a.png"', 'nonsense', 'a.png', 'image/png'],
    ['; filename="a"', undefined, 'a', 'text/plain'],
  ])('%s as %s is kept as %s', async (header, type, filename, mime_type) => {
    const response = await named(header, type);
    expect([response.status, await response.json()]).toMatchObject([200, { filename, mime_type }]);
  });

  it.each(['a<b', 'a>b', 'a:b', 'a|b', 'a?b', 'a*b', 'a\u0001b', 'é'.repeat(256)])(
    'are refused for %j',
    async (name) => {
      const response = await named(`; filename="${name}"`);
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(/file: expected a filename of at most 255 characters/);
      expect(await readdir(server.filesFolder)).toEqual([]);
    },
  );
});

describe('a download', () => {
  it('is for saving, of its own type, with its length and its hash', async () => {
    const { id } = await upload('<script>alert(1)</script>', 'ä "1".html', 'text/html');
    const response = await server.alice.beta.files.download(id);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html',
      'content-length': '25',
      'content-disposition': `attachment; filename="_ _221_22.html"; filename*=UTF-8''%C3%A4%20%25221%2522.html`,
      'x-content-type-options': 'nosniff',
      etag: `"${createHash('sha256').update('<script>alert(1)</script>').digest('hex')}"`,
    });
    await response.arrayBuffer();
  });

  it('by HEAD has the headers and opens nothing for long', async () => {
    const { id } = await upload('12345');
    const response = await server.fetch(`/v1/files/${id}/content`, { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('5');
    expect(await response.text()).toBe('');
    await nothingOpen();
  });
});

describe('a listing', () => {
  it('shows those of a list of ids that are there and belong to the key, once, newest first', async () => {
    const [a, b, c] = [await upload('a'), await upload('b'), await upload('c')];
    const foreign = await server.bob.beta.files.upload({
      file: await toFile(Buffer.from('x'), 'x'),
    });
    await server.alice.beta.files.delete(c.id);
    const ids = [a.id, foreign.id, b.id, 'file_none', c.id, a.id];
    const page = await server.alice.beta.files.list({ ids });
    const expected = (await server.alice.beta.files.list()).data;
    expect(page.data).toEqual(expected);
    expect(page.data).toHaveLength(2);
    expect(page.next_page).toBeNull();
    expect((await server.alice.beta.files.list({ ids: [a.id] })).data).toEqual([a]);
    expect((await server.alice.beta.files.list({ ids: null, page: null })).data).toEqual(expected);
  });

  it('refuses more ids than 100, pages of ids, and what it does not know', async () => {
    const many = Array.from({ length: 101 }, (_, index) => `file_${index}`);
    await server.alice.beta.files.list({ ids: [...many.slice(1), ...many.slice(1)] });
    const refused: FileListParams[] = [
      { ids: many },
      { ids: ['file_1'], limit: 5 },
      { ids: ['file_1'], page: 'x' },
      { limit: 0 },
      { limit: 1_001 },
      { page: 'x' },
    ];
    for (const params of refused) {
      await failure(server.alice.beta.files.list(params), BadRequestError);
    }
    const unknown = await server.fetch('/v1/files?before_id=file_1');
    expect(await unknown.text()).toContain('before_id');
    expect((await server.alice.beta.files.list({ limit: 1_000 })).data).toEqual([]);
  });

  it('of a scope is empty: no file has one', async () => {
    const { id } = await upload();
    expect((await server.alice.beta.files.list({ scope_id: 'sesn_1' })).data).toEqual([]);
    expect((await server.alice.beta.files.list({ scope_id: 'sesn_1', ids: [id] })).data).toEqual(
      [],
    );
  });
});

describe("another key's file", () => {
  it('does not exist, whatever is asked', async () => {
    const { id } = await upload('secret');
    const { bob } = server;
    await failure(bob.beta.files.retrieveMetadata(id), NotFoundError);
    await failure(bob.beta.files.download(id), NotFoundError);
    await failure(bob.beta.files.delete(id), NotFoundError);
    expect((await bob.beta.files.list()).data).toEqual([]);
    expect((await bob.beta.files.list({ ids: [id] })).data).toEqual([]);
    expect((await download(id)).toString()).toBe('secret');
  });

  it('is told of in the same words as one that never was', async () => {
    const { id } = await upload('secret');
    const theirs = await failure(server.bob.beta.files.download(id), NotFoundError);
    const none = await failure(server.bob.beta.files.download(NONE), NotFoundError);
    expect(wordsOf(theirs).replace(id, NONE)).toBe(wordsOf(none));
  });
});

/** What an error says, without the id of its request. */
function wordsOf({ message }: APIError): string {
  return message.replace(/req_\w+/, '');
}

const NONE = 'file_000000000000000000000000';

describe('limits', () => {
  it('of one file are told with the file, and leave nothing', async () => {
    server = await catalogServer({ fileLimits: { maxFileBytes: 300_000 } });
    await upload(Buffer.alloc(300_000));
    const error = await failure(upload(Buffer.alloc(300_001)), APIError);
    expect(error.status).toBe(413);
    expect(error.errorCode).toBe('payload_too_large');
    expect(error.message).toContain('at most 300000 bytes (files.maxFileBytes)');
    expect(await readdir(server.filesFolder)).toHaveLength(1);
    await upload(Buffer.alloc(300_000));
  });

  it('let the client of a refused upload read why, also when it sends on for long', async () => {
    server = await catalogServer({ fileLimits: { maxFileBytes: 10 } });
    const error = await failure(upload(Buffer.alloc(20_000_000)), APIError);
    expect(error.status).toBe(413);
    expect((await upload('small')).size_bytes).toBe(5);
  });

  it('let a client read why that sends everything before it looks', async () => {
    server = await catalogServer({ fileLimits: { maxKeyFiles: 0 } });
    const connection = connect(Number(new URL(server.url).port), '127.0.0.1');
    const body = Buffer.alloc(30_000_000, 'y');
    connection.write(uploadHead(body.length));
    await new Promise<void>((resolve, reject) => {
      connection.once('error', reject);
      connection.write(body, () => resolve());
    });
    const [answer] = await once(connection, 'data');
    expect(String(answer)).toContain('HTTP/1.1 400 Bad Request');
    expect(String(answer)).toContain('storage_quota_exceeded');
    connection.destroy();
  });

  it('of a key are an error of their own, and end with a deletion', async () => {
    server = await catalogServer({ fileLimits: { maxKeyBytes: 10, maxKeyFiles: 2 } });
    const first = await upload('12345678');
    const bytes = await failure(upload('123'), StorageQuotaExceededError);
    expect(bytes.message).toContain('at most 10 bytes in all files of this key');
    await upload('12');
    const count = await failure(upload(''), StorageQuotaExceededError);
    expect(count.message).toContain('at most 2 files of this key');
    await server.bob.beta.files.upload({ file: await toFile(Buffer.alloc(10), 'b') });
    await server.alice.beta.files.delete(first.id);
    await upload('12345678');
  });
});

describe('a time to expire', () => {
  it('may stand before the file or behind it, and is kept', async () => {
    const file = await toFile(Buffer.from('x'), 'a.txt');
    for (const params of [
      { file, expires_in_seconds: 3_600 },
      { expires_in_seconds: 7_776_000, file },
    ]) {
      const kept = await server.alice.beta.files.upload(params);
      const ms = Date.parse(kept.expires_at ?? '') - Date.parse(kept.created_at);
      expect(Math.round(ms / 1_000)).toBe(params.expires_in_seconds);
    }
    const form = new FormData();
    form.append('file', file);
    form.append('expires_in_seconds', '3600');
    const behind = await server.fetch('/v1/files', { method: 'POST', body: form });
    expect(await behind.json()).toMatchObject({ expires_at: expect.stringMatching(TIME) });
  });

  it('ends the bytes, not the file', async () => {
    const file = await toFile(Buffer.from('x'), 'a.txt');
    const { id } = await server.alice.beta.files.upload({ file, expires_in_seconds: 3_600 });
    expect(await server.files.has('alice', id)).toBe(true);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_001 });
    onTestFinished(() => void vi.useRealTimers());
    expect(await server.files.has('alice', id)).toBe(false);
    await failure(server.alice.beta.files.download(id), FileExpiredError);
    expect((await server.alice.beta.files.list()).data).toMatchObject([{ id }]);
    await server.alice.beta.files.delete(id);
  });

  it('has bounds', async () => {
    const file = await toFile(Buffer.from('x'), 'a.txt');
    for (const expires_in_seconds of [0, 3_599, 7_776_001, 3_600.5]) {
      const refused = server.alice.beta.files.upload({ file, expires_in_seconds });
      expect((await failure(refused, BadRequestError)).message).toContain(
        'expires_in_seconds: expected a whole number from 3600 to 7776000',
      );
    }
    expect(await readdir(server.filesFolder)).toEqual([]);
  });
});

function part(head: string): string {
  return `--b\r\n${head}\r\n\r\nx\r\n`;
}

describe('a body that is no upload', () => {
  const file = part('content-disposition: form-data; name="file"; filename="a"');
  const field = (name: string): string => part(`content-disposition: form-data; name="${name}"`);

  it.each([
    ['no part', '--b--\r\n', /file: expected a part/],
    ['nothing', '', /file: expected a part/],
    ['a file of another name', `${field('data')}--b--\r\n`, /file: expected a part/],
    ['two files', `${file}${file}--b--\r\n`, /files limit/],
    ['an unknown field', `${file}${field('purpose')}--b--\r\n`, /purpose: unknown field/],
    ['a field twice', `${field('a')}${field('a')}${file}--b--\r\n`, /a: expected one, got two/],
    ['a name of its own kind', `${field('__proto__')}${file}--b--\r\n`, /prototype/],
    ['many fields', `${field('a').repeat(30)}${file}--b--\r\n`, /expected one, got two/],
    ['no end', file, /could not be read/],
    ['the middle only', file.slice(0, 60), /could not be read/],
    ['no beginning', 'hello', /could not be read/],
  ])('is refused: %s', async (_what, body, message) => {
    const response = await server.send(body);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(message);
    expect(await readdir(server.filesFolder)).toEqual([]);
    expect((await server.alice.beta.files.list()).data).toEqual([]);
  });

  it('is refused without a boundary, and as JSON', async () => {
    const without = await server.send(`${file}--b--\r\n`, 'multipart/form-data');
    expect([without.status, await without.text()]).toEqual([
      400,
      expect.stringContaining('Boundary not found'),
    ]);
    const json = await server.post('/v1/files', { file: 'text' });
    expect(json.status).toBe(415);
    const empty = await server.fetch('/v1/files', { method: 'POST' });
    expect([empty.status, await empty.text()]).toEqual([400, expect.stringContaining('got none')]);
  });
});

describe('a connection', () => {
  it('that breaks in the middle of an upload leaves nothing', async () => {
    const connection = await rawUpload();
    connection.write('y'.repeat(200_000));
    await vi.waitUntil(async () => (await sizeOnDisk()) >= 100_000);
    connection.destroy();
    await vi.waitUntil(async () => (await readdir(server.filesFolder)).length === 0);
    await nothingOpen();
    expect((await server.alice.beta.files.list()).data).toEqual([]);
  });

  it('on which an upload stands still is cut', async () => {
    server = await catalogServer({ readerMaxLagMs: 200 });
    const connection = await rawUpload();
    connection.write('y'.repeat(1_000));
    await once(connection, 'close');
    await vi.waitUntil(async () => (await readdir(server.filesFolder)).length === 0);
    await nothingOpen();
    expect((await server.alice.beta.files.list()).data).toEqual([]);
  });

  it('that does not take its download holds little of it, and is cut', async () => {
    const size = 64 * 2 ** 20;
    server = await catalogServer({
      readerMaxLagMs: 400,
      fileLimits: { maxFileBytes: size, maxKeyBytes: size },
    });
    const zeros = Buffer.alloc(2 ** 20);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent < size; sent += zeros.length) yield zeros;
    };
    const { id } = await server.files.create('alice', source(), async () => ({
      name: 'big',
      mimeType: 'image/png',
      expiresInMs: null,
    }));
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write(
      `GET /v1/files/${id}/content HTTP/1.1\r\nhost: localhost\r\nx-api-key: key-a\r\n\r\n`,
    );
    await once(socket, 'readable');
    let furthest = 0;
    await vi.waitUntil(
      async () => {
        const place = await readPosition();
        furthest = Math.max(furthest, place ?? 0);
        return place === undefined && furthest > 0;
      },
      { timeout: 20_000, interval: 10 },
    );
    socket.destroy();
    // What the kernel keeps for both ends, and a piece of ours.
    expect(furthest).toBeLessThan(size / 4);
  });

  it('that leaves in the middle of a download leaves nothing open', async () => {
    const { id } = await upload(Buffer.alloc(900_000));
    const controller = new AbortController();
    const response = await server.alice.beta.files.download(id, {}, { signal: controller.signal });
    controller.abort();
    await expect(response.arrayBuffer()).rejects.toThrow('aborted');
    await nothingOpen();
  });
});

/** The beginning of an upload by hand, up to the bytes of the file. */
function uploadHead(contentLength: number): string {
  return (
    `POST /v1/files HTTP/1.1\r\nhost: localhost\r\nx-api-key: key-a\r\ncontent-length: ${contentLength}\r\n` +
    'content-type: multipart/form-data; boundary=b\r\n\r\n' +
    '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
  );
}

/** A connection on which an upload has begun: the bytes of its file follow. */
async function rawUpload(): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`${uploadHead(900_000)}yyy`);
  await vi.waitUntil(async () => (await readdir(server.filesFolder)).length === 1);
  return socket;
}

async function sizeOnDisk(): Promise<number> {
  const names = await readdir(server.filesFolder);
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(server.filesFolder, name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What this process has open in the folder of the files, as its descriptors. Linux tells it. */
async function openFiles(): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    descriptors.map((each) => readlink(`/proc/self/fd/${each}`).catch(() => '')),
  );
  return descriptors.filter((_, index) => targets[index]?.startsWith(server.filesFolder));
}

async function nothingOpen(): Promise<void> {
  if (process.platform !== 'linux') return;
  await vi.waitUntil(async () => (await openFiles()).length === 0);
}

/** How far the one open file has been read; undefined when none is open. */
async function readPosition(): Promise<number | undefined> {
  const [descriptor] = await openFiles();
  if (descriptor === undefined) return undefined;
  const text = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(/^pos:\s*(\d+)/.exec(text)?.[1]);
}
