import type { AgentOutput, AgentSpec } from '../../contracts/agent-driver.ts';
import { RoundhouseError } from '../../errors.ts';
import { newEventId } from '../../events/ids.ts';
import { wallClockIso } from '../../time/clock.ts';
import { sleep } from '../../time/timers.ts';
import type { AskedCalls } from './asked-calls.ts';
import { event, type MessageWriter } from './message-writer.ts';
import { appendEntry, type PlayedTurn } from './played-turn.ts';
import type { ScriptStep } from './script.ts';
import { untilAborted } from './turn-stopped.ts';

export interface ScriptPlayerParts {
  readonly spec: AgentSpec;
  readonly calls: AskedCalls;
  /** Ends the process, as a script may. */
  readonly die: (signal: string) => void;
  /** The transcript in the store is to count as stale. */
  readonly noteStale: () => void;
}

/** Plays the steps of a script: what each puts out, and how long it takes. */
export class ScriptPlayer {
  readonly #parts: ScriptPlayerParts;

  constructor(parts: ScriptPlayerParts) {
    this.#parts = parts;
  }

  /** The steps from one on, to the end of the answer. The message that they begin in is open. */
  async *play(
    turn: PlayedTurn,
    steps: readonly ScriptStep[],
    from: number,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    const { promptId, writer, signal } = turn;
    const { spec, calls } = this.#parts;
    try {
      for (const [index, step] of steps.entries()) {
        if (index < from) continue;
        signal.throwIfAborted();
        const asks = calls.of(step);
        if (asks === undefined) yield* this.#step(step, writer, signal);
        else yield* calls.ask(asks, index, turn);
      }
      signal.throwIfAborted();
    } catch (error) {
      const left = writer.cut();
      if (left.length > 0) yield left;
      throw error;
    }
    yield writer.close();
    await appendEntry(spec, { type: 'assistant', uuid: `${promptId}-answer` });
  }

  async *#step(
    step: ScriptStep,
    writer: MessageWriter,
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    if ('text' in step) yield* writer.text(step.text, signal);
    else if ('thinking' in step) yield writer.thinking(step.thinking);
    else if ('waitMs' in step) await sleep(step.waitMs, signal, { keepAlive: true });
    else if ('hang' in step) await untilAborted(signal);
    else if ('restart' in step) yield writer.restart();
    else if ('fail' in step) throw new RoundhouseError(step.fail, step.message);
    else if ('stale' in step) {
      this.#parts.noteStale();
      yield [{ kind: 'transcript_stale', error: 'scripted' }];
    } else if ('die' in step) {
      this.#parts.die(step.die);
      signal.throwIfAborted();
    } else if ('retryInMs' in step) {
      const retry = { attempt: 1, maxAttempts: 10, waitMs: step.retryInMs, status: step.status };
      const processedAt = wallClockIso();
      yield [
        event(
          { type: 'session.status_rescheduled', id: newEventId(), processed_at: processedAt },
          { retry },
        ),
      ];
      await sleep(step.retryInMs, signal, { keepAlive: true });
    } else if ('tool' in step) {
      const { use, outputs } = writer.toolUse(step.tool, step.input ?? {});
      yield [
        ...outputs,
        ...writer.close('tool_use'),
        { kind: 'tool_started', toolUseId: use.toolUseId },
      ];
      if (step.runMs !== undefined) await sleep(step.runMs, signal, { keepAlive: true });
      yield [
        writer.toolResult(use, step.output, step.isError === true),
        ...writer.open(),
        { kind: 'tool_finished', toolUseId: use.toolUseId },
      ];
    }
  }
}
