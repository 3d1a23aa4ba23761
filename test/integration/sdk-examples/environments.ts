import { NotFoundError } from '@anthropic-ai/sdk';
import type { BetaEnvironment } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { expect } from 'vitest';
import { failure } from '../../support/catalog-server.ts';
import { all, TIME, type Examples } from './example.ts';

/** The examples of `beta.environments`, without those of its work. */
export const ENVIRONMENT_EXAMPLES: Examples = {
  'beta.environments.create': {
    async run({ alice: client }) {
      const environment: BetaEnvironment = await client.beta.environments.create({
        name: 'python-data-analysis',
      });
      expect(environment).toEqual({
        type: 'environment',
        id: expect.stringMatching(/^env_[0-9a-z]{24}$/),
        name: 'python-data-analysis',
        description: null,
        metadata: {},
        scope: 'organization',
        config: {
          type: 'cloud',
          networking: { type: 'unrestricted' },
          packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
        },
        created_at: expect.stringMatching(TIME),
        updated_at: environment.created_at,
        archived_at: null,
        roundhouse: { workspace: { type: 'fresh' }, variables: {}, limits: {} },
      });
    },
  },
  'beta.environments.retrieve': {
    async run({ alice: client }) {
      const created = await client.beta.environments.create({ name: 'a' });
      expect(await client.beta.environments.retrieve(created.id)).toEqual(created);
      const unknown = client.beta.environments.retrieve('env_011CZkZ9X2dpNyB7HsEFoRfW');
      await failure(unknown, NotFoundError);
    },
  },
  'beta.environments.update': {
    async run({ alice: client }) {
      const created = await client.beta.environments.create({ name: 'a' });
      expect(await client.beta.environments.update(created.id, {})).toEqual(created);
    },
  },
  'beta.environments.list': {
    async run({ alice: client }) {
      const ids: string[] = [];
      for (const name of ['a', 'b', 'c'])
        ids.push((await client.beta.environments.create({ name })).id);
      const seen: string[] = [];
      for await (const environment of client.beta.environments.list()) seen.push(environment.id);
      expect(seen.toSorted()).toEqual(ids.toSorted());
      const paged = await all(client.beta.environments.list({ limit: 2 }));
      expect(paged.map(({ id }) => id)).toEqual(seen);
    },
  },
  'beta.environments.delete': {
    async run({ alice: client }) {
      const { id } = await client.beta.environments.create({ name: 'a' });
      const deleted = await client.beta.environments.delete(id);
      expect(deleted).toEqual({ id, type: 'environment_deleted' });
      await failure(client.beta.environments.delete(id), NotFoundError);
      await failure(client.beta.environments.retrieve(id), NotFoundError);
    },
  },
  'beta.environments.archive': {
    async run({ alice: client }) {
      const { id } = await client.beta.environments.create({ name: 'a' });
      const environment = await client.beta.environments.archive(id);
      expect(environment).toMatchObject({ id, archived_at: expect.stringMatching(TIME) });
    },
  },
};
