import Anthropic from '@anthropic-ai/sdk';

/** Makes so many sessions of one agent without tools, as the official client does. Gives the id of the session with an index. */
export async function makeSessions(url: string, count: number): Promise<(index: number) => string> {
  const { beta } = new Anthropic({ baseURL: url, apiKey: 'bench', authToken: null, maxRetries: 0 });
  // The model that the prompts of `/v1/messages` name: with another one each of them would change the session's.
  const agent = await beta.agents.create({ name: 'Bench', model: 'default' });
  const environment = await beta.environments.create({ name: 'Bench' });
  const ids: string[] = [];
  for (let made = 0; made < count; made += 1) {
    const { id } = await beta.sessions.create({
      agent: agent.id,
      environment_id: environment.id,
    });
    ids.push(id);
  }
  return (index) => {
    const id = ids[index];
    if (id === undefined) throw new Error(`There is no session ${index}.`);
    return id;
  };
}
