import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NotFoundError, toFile } from '@anthropic-ai/sdk';
import type { BetaFileMetadata } from '@anthropic-ai/sdk/resources/beta/files';
import { expect, onTestFinished } from 'vitest';
import { failure, type CatalogServer } from '../../support/catalog-server.ts';
import { all, TIME, type Examples } from './example.ts';

/** The examples of `beta.files`. */
export const FILE_EXAMPLES: Examples = {
  'beta.files.upload': {
    async run({ alice: client }) {
      const folder = await mkdtemp(join(tmpdir(), 'roundhouse-upload-'));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      await writeFile(join(folder, 'data.csv'), 'a,b\n1,2\n');
      const file: BetaFileMetadata = await client.beta.files.upload({
        file: createReadStream(join(folder, 'data.csv')),
      });
      expect(file).toEqual({
        type: 'file',
        id: expect.stringMatching(/^file_[0-9a-z]{24}$/),
        filename: 'data.csv',
        mime_type: 'text/csv',
        size_bytes: 8,
        downloadable: true,
        created_at: expect.stringMatching(TIME),
        expires_at: null,
        scope: null,
      });
    },
  },
  'beta.files.list': {
    async run(server) {
      const client = server.alice;
      const ids: string[] = [];
      for (const name of ['a', 'b', 'c']) ids.push((await upload(server, 'x', name)).id);
      const seen: string[] = [];
      for await (const file of client.beta.files.list()) seen.push(file.id);
      expect(seen.toSorted()).toEqual(ids.toSorted());
      const paged = await all(client.beta.files.list({ limit: 2 }));
      expect(paged.map(({ id }) => id)).toEqual(seen);
    },
  },
  'beta.files.retrieveMetadata': {
    async run(server) {
      const file = await upload(server);
      expect(await server.alice.beta.files.retrieveMetadata(file.id)).toEqual(file);
      await failure(server.alice.beta.files.retrieveMetadata('file_id'), NotFoundError);
    },
  },
  'beta.files.download': {
    async run(server) {
      const { id } = await upload(server, 'the bytes');
      const response = await server.alice.beta.files.download(id);
      const content = await response.blob();
      expect(await content.text()).toBe('the bytes');
      expect(content.type).toBe('text/plain');
    },
  },
  'beta.files.delete': {
    async run(server) {
      const client = server.alice;
      const { id } = await upload(server);
      expect(await client.beta.files.delete(id)).toEqual({ id, type: 'file_deleted' });
      await failure(client.beta.files.delete(id), NotFoundError);
      await failure(client.beta.files.retrieveMetadata(id), NotFoundError);
      await failure(client.beta.files.download(id), NotFoundError);
      expect(await readdir(server.filesFolder)).toEqual([]);
    },
  },
};

async function upload(
  { alice }: CatalogServer,
  text = 'text',
  name = 'a.txt',
): Promise<BetaFileMetadata> {
  const file = await toFile(Buffer.from(text), name, { type: 'text/plain' });
  return alice.beta.files.upload({ file });
}
