import type { McpServerStatus } from '@anthropic-ai/claude-agent-sdk';

import type { AgentOptions, McpServer } from '../../contracts/agent-driver.ts';
import { mcpToolName, serversByAlias } from '../../contracts/tool-names.ts';

/** The part of the SDK's query that tools are hidden with. */
export interface ToolsQuery {
  mcpServerStatus(): Promise<Pick<McpServerStatus, 'name' | 'tools'>[]>;
  applyFlagSettings(settings: { permissions: { deny: string[] } }): Promise<void>;
}

/**
 * Takes the tools from the model that a server has and nobody has enabled. Which there are only the server knows, so it is
 * asked for them ahead of each prompt. What a server adds later is not run either: see `permissions`.
 */
export class HiddenTools {
  readonly #servers: ReadonlyMap<string, McpServer>;
  #hidden = '[]';

  constructor(options: AgentOptions) {
    this.#servers = new Map(
      [...serversByAlias(options)].filter(
        ([, { defaultPolicy, tools }]) =>
          defaultPolicy === 'disabled' && tools.some(({ policy }) => policy !== 'disabled'),
      ),
    );
  }

  /** Hides what has come since the last time. Nothing is asked where no server's tools are off by default. */
  async refresh(query: ToolsQuery): Promise<void> {
    if (this.#servers.size === 0) return;
    const deny = (await query.mcpServerStatus()).flatMap(({ name: alias, tools = [] }) => {
      const server = this.#servers.get(alias);
      if (server === undefined) return [];
      const enabled = new Set(
        server.tools.flatMap(({ name, policy }) => (policy === 'disabled' ? [] : name)),
      );
      return tools.flatMap(({ name }) => (enabled.has(name) ? [] : mcpToolName(alias, name)));
    });
    const hidden = JSON.stringify(deny.toSorted());
    if (hidden === this.#hidden) return;
    await query.applyFlagSettings({ permissions: { deny } });
    this.#hidden = hidden;
  }
}
