import { NotFoundError } from '@anthropic-ai/sdk';
import type {
  AgentCreateParams,
  BetaManagedAgentsAgent,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';
import { expect } from 'vitest';
import { failure } from '../../support/catalog-server.ts';
import { TIME, type Examples } from './example.ts';

const MINIMAL: AgentCreateParams = { model: 'claude-opus-5-5', name: 'My First Agent' };

/** The examples of `beta.agents`. */
export const AGENT_EXAMPLES: Examples = {
  'beta.agents.create': {
    async run({ alice: client }) {
      const agent: BetaManagedAgentsAgent = await client.beta.agents.create({
        model: 'claude-opus-5-5',
        name: 'My First Agent',
      });
      expect(agent).toEqual({
        type: 'agent',
        id: expect.stringMatching(/^agent_[0-9a-z]{24}$/),
        version: 1,
        name: 'My First Agent',
        description: null,
        system: null,
        model: { id: 'claude-opus-5-5', speed: 'standard' },
        tools: [],
        mcp_servers: [],
        skills: [],
        metadata: {},
        multiagent: null,
        execution_identity: { type: 'service_account' },
        created_at: expect.stringMatching(TIME),
        updated_at: agent.created_at,
        archived_at: null,
      });
    },
  },
  'beta.agents.retrieve': {
    async run({ alice: client }) {
      const { id } = await client.beta.agents.create(MINIMAL);
      const agent: BetaManagedAgentsAgent = await client.beta.agents.retrieve(id);
      expect(agent).toMatchObject({ id, name: 'My First Agent' });
      await failure(client.beta.agents.retrieve('agent_011CZkYpogX7uDKUyvBTophP'), NotFoundError);
    },
  },
  'beta.agents.update': {
    async run({ alice: client }) {
      const { id } = await client.beta.agents.create(MINIMAL);
      const agent = await client.beta.agents.update(id, { description: 'updated' });
      const { name } = MINIMAL;
      expect(agent).toMatchObject({ id, version: 2, description: 'updated', name });
    },
  },
  'beta.agents.list': {
    async run({ alice: client }) {
      const created = await client.beta.agents.create(MINIMAL);
      const seen: BetaManagedAgentsAgent[] = [];
      for await (const agent of client.beta.agents.list()) seen.push(agent);
      expect(seen).toEqual([created]);
    },
  },
  'beta.agents.archive': {
    async run({ alice: client }) {
      const { id } = await client.beta.agents.create(MINIMAL);
      const agent = await client.beta.agents.archive(id);
      expect(agent).toMatchObject({ id, version: 1, archived_at: expect.stringMatching(TIME) });
    },
  },
  'beta.agents.versions.list': {
    async run({ alice: client }) {
      const { id } = await client.beta.agents.create(MINIMAL);
      await client.beta.agents.update(id, { description: 'updated' });
      const seen: [number, string | null][] = [];
      for await (const agent of client.beta.agents.versions.list(id)) {
        seen.push([agent.version, agent.description]);
      }
      expect(seen).toEqual([
        [2, 'updated'],
        [1, null],
      ]);
    },
  },
};
