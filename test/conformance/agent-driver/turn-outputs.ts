import type { AgentOutput } from '../../../src/contracts/agent-driver.ts';
import type { TurnEnd } from '../../../src/events/record.ts';

/** Everything that came out of one turn. */
export interface TurnOutputs {
  readonly outputs: readonly AgentOutput[];
  readonly end: TurnEnd;
  readonly processUsable: boolean;
  /** The texts of its `agent.message` records. */
  readonly text: string;
}

/** What a turn came to; the last output is its end. */
export function outcomeOf(outputs: readonly AgentOutput[]): TurnOutputs {
  const last = outputs.at(-1);
  if (last?.kind !== 'ended') throw new Error('The turn has no end.');
  const { end, processUsable } = last;
  const message = bodies(outputs, 'agent.message')
    .flatMap((body) => body.content)
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('');
  return { outputs, end, processUsable, text: message };
}

type BodyOf<T> = Extract<Extract<AgentOutput, { kind: 'event' }>['body'], { type: T }>;

/** The bodies of the records of that type. */
export function bodies<T extends Extract<AgentOutput, { kind: 'event' }>['body']['type']>(
  outputs: readonly AgentOutput[],
  type: T,
): BodyOf<T>[] {
  const isWanted = (body: { type: string }): body is BodyOf<T> => body.type === type;
  return outputs.flatMap((output) =>
    output.kind === 'event' && isWanted(output.body) ? [output.body] : [],
  );
}

/** The kinds of the outputs that are of these, in order. */
export function kindsOf(outputs: readonly AgentOutput[], kinds: readonly string[]): string[] {
  return outputs.map((output) => output.kind).filter((kind) => kinds.includes(kind));
}

/** The text of the previews after the last start of a message, as a reader would have it on the screen. */
export function streamedText(outputs: readonly AgentOutput[]): string {
  let text = '';
  for (const output of outputs) {
    if (output.kind !== 'preview') continue;
    if (output.preview.kind === 'message_start') text = '';
    if (output.preview.kind === 'text_delta') text += output.preview.text;
  }
  return text;
}

/** The models that messages were begun with. */
export function modelsOf(outputs: readonly AgentOutput[]): string[] {
  return outputs.flatMap((output) =>
    output.kind === 'preview' && output.preview.kind === 'message_start'
      ? [output.preview.model]
      : [],
  );
}
