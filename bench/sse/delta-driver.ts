import { bursts, planSchema } from './plan.ts';
import type {
  AgentDriver,
  AgentExit,
  AgentOutput,
  AgentProcess,
  AgentPrompt,
  AgentSpec,
} from '../../src/contracts/agent-driver.ts';
import { newEventId } from '../../src/events/ids.ts';
import { NO_USAGE } from '../../src/events/record.ts';
import { wallClockIso } from '../../src/time/clock.ts';

/** An agent that puts out what the plan in its prompt says, at the pace it says: the scripted one has no pace. */
export class DeltaDriver implements AgentDriver {
  readonly name = 'deltas';
  readonly capabilities = { liveOptions: [], lateWorkspace: false };

  start(spec: AgentSpec): Promise<AgentProcess> {
    return Promise.resolve(new DeltaProcess(spec.clientId));
  }

  generation(): Promise<string> {
    return Promise.resolve('deltas');
  }

  async rescueTranscript(): Promise<void> {
    // It keeps nothing.
  }

  async forkTranscript(): Promise<void> {
    // As above.
  }

  openCalls(): Promise<[]> {
    return Promise.resolve([]);
  }

  async seedTranscript(): Promise<void> {
    // It remembers nothing.
  }
}

class DeltaProcess implements AgentProcess {
  readonly clientId: string;
  readonly pid = undefined;
  readonly exited: Promise<AgentExit>;
  readonly #exit = Promise.withResolvers<AgentExit>();
  #alive = true;

  constructor(clientId: string) {
    this.clientId = clientId;
    this.exited = this.#exit.promise;
  }

  get alive(): boolean {
    return this.#alive;
  }

  bind(): Promise<void> {
    return Promise.reject(new Error('Its processes are started with their folder.'));
  }

  async *prompt({
    promptId,
    content,
  }: AgentPrompt): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const [block] = content;
    const plan = planSchema.parse(JSON.parse(block?.type === 'text' ? block.text : ''));
    const messageId = `msg_${promptId}`;
    const block0 = { messageId, index: 0 };
    const eventId = newEventId();
    yield [
      { kind: 'accepted' },
      preview({ kind: 'message_start', messageId, model: 'bench', inputTokens: 1 }),
      preview({ kind: 'block_start', ...block0, block: { type: 'text' }, eventId }),
    ];
    for await (const deltas of bursts(plan))
      yield deltas.map((text) => preview({ kind: 'text_delta', messageId, index: 0, text }));
    yield [
      preview({ kind: 'block_stop', ...block0 }),
      {
        kind: 'event',
        body: {
          type: 'agent.message',
          id: eventId,
          processed_at: wallClockIso(),
          content: [{ type: 'text', text: 'done' }],
        },
        detail: { modelMessageId: messageId, blockIndex: 0, model: 'bench' },
      },
      {
        kind: 'ended',
        end: { reason: 'completed', usage: NO_USAGE, modelRequests: 1, stopReason: 'end_turn' },
        processUsable: this.#alive,
      },
    ];
  }

  answer(): void {
    // It asks nobody.
  }

  takeUp(): never {
    throw new Error('Its turns never wait.');
  }

  async interrupt(): Promise<void> {
    // Nobody interrupts a bench.
  }

  async change(): Promise<void> {
    // There is nothing to change.
  }

  memoryBytes(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  close(): Promise<AgentExit> {
    return this.#end('closed');
  }

  destroy(reason: string): Promise<AgentExit> {
    return this.#end(reason);
  }

  #end(reason: string): Promise<AgentExit> {
    this.#alive = false;
    this.#exit.resolve({ code: 0, signal: null, stderrTail: '', reason, transcriptStale: false });
    return this.exited;
  }
}

function preview(
  part: Extract<AgentOutput, { kind: 'preview' }>['preview'],
): Extract<AgentOutput, { kind: 'preview' }> {
  return { kind: 'preview', preview: part };
}
