import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { AgentOutput, AgentProcess } from '../../../src/contracts/agent-driver.ts';
import { checkOrder } from './turn-order.ts';
import type { TurnOutputs } from './turn-outputs.ts';
import { outcomeOf } from './turn-outputs.ts';

/** A prompt that is a text. */
export function prompt(text: string): {
  promptId: string;
  content: { type: 'text'; text: string }[];
} {
  return { promptId: randomUUID(), content: [{ type: 'text', text }] };
}

/** Runs one turn to its end and checks what holds for every turn. `watch` sees each output, and may interrupt once. */
export async function run(
  process: AgentProcess,
  text: string,
  watch?: (output: AgentOutput, interrupt: () => void) => void,
  model?: string,
  promptId?: string,
): Promise<TurnOutputs> {
  const outputs: AgentOutput[] = [];
  let interrupting: Promise<void> | undefined;
  const interrupt = (): void => {
    interrupting ??= process.interrupt();
  };
  for await (const batch of process.prompt({
    ...prompt(text),
    ...(model === undefined ? {} : { model }),
    ...(promptId === undefined ? {} : { promptId }),
  })) {
    expect(batch.length, 'what is handed over is never empty').toBeGreaterThan(0);
    for (const output of batch) {
      outputs.push(output);
      watch?.(output, interrupt);
    }
  }
  await interrupting;
  checkOrder(outputs);
  return outcomeOf(outputs);
}

/** Reads a turn of which a client answers the calls to its end. */
export async function read(
  batches: AsyncIterable<readonly AgentOutput[]>,
  process: AgentProcess,
  asked: (toolUseIds: readonly string[], process: AgentProcess) => void = () => {},
  watch: (output: AgentOutput, process: AgentProcess) => void = () => {},
): Promise<TurnOutputs> {
  const outputs: AgentOutput[] = [];
  for await (const batch of batches) {
    for (const output of batch) {
      outputs.push(output);
      watch(output, process);
      if (output.kind === 'answers_awaited') asked(output.toolUseIds, process);
    }
  }
  checkOrder(outputs);
  return outcomeOf(outputs);
}

/** Runs a turn as soon as the process takes one. */
export async function whenFree(process: AgentProcess, text: string): Promise<TurnOutputs> {
  for (;;) {
    try {
      return await run(process, text);
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
