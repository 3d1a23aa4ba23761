import type { Query, SDKMessage, SpareProcess } from '@anthropic-ai/claude-agent-sdk';

import type { ToolsQuery } from './hidden-tools.ts';
import type { PromptChannel } from './prompt-channel.ts';

/**
 * The query of a process that was started before its folder was known. It says nothing until the process is claimed for
 * one; from then on it is the SDK's own. When the process goes unclaimed, it ends.
 */
export class ParkedQuery implements AsyncIterable<SDKMessage> {
  readonly #spare: SpareProcess;
  readonly #channel: PromptChannel;
  readonly #claimed = Promise.withResolvers<Query | undefined>();

  constructor(spare: SpareProcess, channel: PromptChannel) {
    this.#spare = spare;
    this.#channel = channel;
    // A refusal goes to whoever claims; when the process ends unclaimed, nobody waits for it.
    spare.claimed.catch(() => {});
    void spare.exited.then(() => this.#claimed.resolve(undefined));
  }

  /** Settles when the process has taken the folder, and may be prompted. Rejects when it refuses, and then exits. */
  async claim(workspace: string): Promise<void> {
    this.#claimed.resolve(
      this.#spare.claim({ prompt: this.#channel, options: { cwd: workspace } }),
    );
    await this.#spare.claimed;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SDKMessage, void> {
    const query = await this.#claimed.promise;
    if (query !== undefined) yield* query;
  }

  async interrupt(): ReturnType<Query['interrupt']> {
    return (await this.#claimed.promise)?.interrupt();
  }

  async setModel(model?: string): Promise<void> {
    await (await this.#claimed.promise)?.setModel(model);
  }

  async getContextUsage(options: { readonly detail: 'summary' }): Promise<unknown> {
    return (await this.#claimed.promise)?.getContextUsage(options);
  }

  async mcpServerStatus(): ReturnType<ToolsQuery['mcpServerStatus']> {
    return (await this.#claimed.promise)?.mcpServerStatus() ?? [];
  }

  async applyFlagSettings(settings: Parameters<ToolsQuery['applyFlagSettings']>[0]): Promise<void> {
    await (await this.#claimed.promise)?.applyFlagSettings(settings);
  }

  close(): void {
    // Claimed or not: after a claim it closes the query.
    this.#spare.close();
  }
}
