import { readdir, rename, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { toFile } from '@anthropic-ai/sdk';
import { expect, onTestFinished, test, vi } from 'vitest';
import { officialClient } from '../support/official-client.ts';
import { ServerFixture } from '../support/server-fixture.ts';

test('a server that is killed keeps every file that it acknowledged, and its next start removes the rest', async () => {
  const server = await ServerFixture.start();
  onTestFinished(() => server.end());
  const folder = join(server.dataDir, 'files');
  const client = () => officialClient(server.url).beta.files;
  const contents = Array.from({ length: 5 }, (_, index) => `file ${index} `.repeat(20_000));
  const ids: string[] = [];
  for (const content of contents) {
    ids.push((await client().upload({ file: await toFile(Buffer.from(content), 'a.txt') })).id);
  }
  const deleted = ids.pop() ?? '';
  await client().delete(deleted);

  // Killed in the middle of an upload.
  const upload = connect(Number(new URL(server.url).port), '127.0.0.1');
  upload.on('error', () => {});
  upload.write(
    `POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900000\r\ncontent-type: multipart/form-data; boundary=b\r\n\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${'x'.repeat(100_000)}`,
  );
  await vi.waitUntil(async () => (await readdir(folder)).some((name) => name.endsWith('.part')));
  await server.kill('SIGKILL');
  // As if the death had come between the bytes and the document of an upload, and of a deletion.
  const [unfinished = ''] = (await readdir(folder)).filter((name) => name.endsWith('.part'));
  await rename(join(folder, unfinished), join(folder, unfinished.replace('.part', '')));
  await writeFile(join(folder, deleted), 'left');
  await writeFile(join(folder, `${deleted}.part`), 'left');
  expect(await readdir(folder)).toHaveLength(ids.length + 3);

  await server.restart();
  expect((await readdir(folder)).toSorted()).toEqual(ids.toSorted());
  const listed: string[] = [];
  for await (const { id } of client().list()) listed.push(id);
  expect(listed.toSorted()).toEqual(ids.toSorted());
  for (const [index, id] of ids.entries()) {
    expect(await (await client().download(id)).text()).toBe(contents[index]);
  }
  await server.log.waitForEvent('file_leftovers_removed', { removed: 2 });
});
