import { NotFoundError } from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSession } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { expect, vi } from 'vitest';
import { failure } from '../../support/catalog-server.ts';
import { all, TIME, type Examples } from './example.ts';
import { aSession, MY_TOOL, parts, WHERE } from './scene.ts';

/** The examples of `beta.sessions` itself. */
export const SESSION_EXAMPLES: Examples = {
  'beta.sessions.create': {
    async run({ alice: client }) {
      const { agent, environment_id } = await parts(client);
      const session: BetaManagedAgentsSession = await client.beta.sessions.create({
        agent: agent.id,
        environment_id,
        initial_events: [{ type: 'user.message', content: [{ type: 'text', text: WHERE.asked }] }],
      });
      expect(session).toEqual({
        type: 'session',
        id: expect.stringMatching(/^sesn_[0-9a-z]{24}$/),
        agent: {
          type: 'agent',
          id: agent.id,
          version: 1,
          name: 'Reviewer',
          description: null,
          system: 'You review.',
          model: { id: 'claude-opus-5-5', speed: 'standard' },
          tools: [MY_TOOL],
          mcp_servers: [],
          skills: [],
          multiagent: null,
          execution_identity: { type: 'service_account' },
        },
        environment_id,
        title: null,
        metadata: {},
        resources: [],
        budget: null,
        status: 'running',
        stats: { active_seconds: expect.any(Number), duration_seconds: expect.any(Number) },
        usage: {
          active_seconds: expect.any(Number),
          input_tokens: 0,
          output_tokens: 0,
          cache_read_input_tokens: 0,
          cache_creation: { ephemeral_5m_input_tokens: 0 },
          list_cost: { amount: '0', currency: 'USD' },
        },
        outcome_evaluations: [],
        vault_ids: [],
        deployment_id: null,
        created_at: expect.stringMatching(TIME),
        updated_at: expect.stringMatching(TIME),
        archived_at: null,
        // Ours: the SDK's types don't know it.
        roundhouse: { forked_from: null },
      });
      const ended = await vi.waitFor(
        async () => {
          const now = await client.beta.sessions.retrieve(session.id);
          expect(now.status).toBe('idle');
          return now;
        },
        { timeout: 10_000, interval: 20 },
      );
      expect(ended.usage).toMatchObject({ input_tokens: 10, output_tokens: 5 });
      expect(await all(client.beta.sessions.events.list(session.id))).toContainEqual(
        expect.objectContaining({
          type: 'agent.message',
          content: [{ type: 'text', text: WHERE.answer }],
        }),
      );
    },
  },
  'beta.sessions.retrieve': {
    async run({ alice: client }) {
      const { id, agent } = await aSession(client);
      expect(await client.beta.sessions.retrieve(id)).toMatchObject({ id, agent, status: 'idle' });
      const unknown = client.beta.sessions.retrieve('sesn_011CZkZAtmR3yMPDzynEDxu7');
      await failure(unknown, NotFoundError);
    },
  },
  'beta.sessions.update': {
    async run({ alice: client }) {
      const { id } = await aSession(client, { title: 'a' });
      expect(await client.beta.sessions.update(id, {})).toMatchObject({ id, title: 'a' });
      expect(await all(client.beta.sessions.events.list(id))).toEqual([]);
    },
  },
  'beta.sessions.list': {
    async run({ alice: client }) {
      const created: string[] = [];
      for (let count = 0; count < 3; count += 1) created.push((await aSession(client)).id);
      const seen: string[] = [];
      for await (const session of client.beta.sessions.list()) seen.push(session.id);
      expect(seen.toSorted()).toEqual(created.toSorted());
    },
  },
  'beta.sessions.delete': {
    async run({ alice: client, fixture }) {
      const { id } = await aSession(client);
      const { sessions } = client.beta;
      expect(await sessions.delete(id)).toEqual({ id, type: 'session_deleted' });
      await failure(sessions.retrieve(id), NotFoundError);
      await failure(sessions.delete(id), NotFoundError);
      expect(await all(sessions.list())).toEqual([]);
      expect((await fixture.store.listSessions({ limit: 10 })).sessions).toEqual([]);
    },
  },
  'beta.sessions.archive': {
    async run({ alice: client }) {
      const { id } = await aSession(client);
      const session = await client.beta.sessions.archive(id);
      const archived_at: unknown = expect.stringMatching(TIME);
      expect(session).toMatchObject({ id, status: 'idle', archived_at });
    },
  },
};
