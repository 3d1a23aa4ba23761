import type { ContextUse } from './context-use.ts';
import type { Journal } from './journal.ts';
import type { Attachment } from './link.ts';
import { endBy, type StopCause } from './stop-cause.ts';
import { deliveredRecord } from './turn-records.ts';
import type { Turn } from './turn.ts';
import type { AgentOutput } from '../contracts/agent-driver.ts';
import { asRoundhouseError, RoundhouseError } from '../errors.ts';
import type { Preview } from '../events/preview.ts';
import type { TurnEnd } from '../events/record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** What a turn on a process came to, before the first cause has had its word. */
export interface TurnOutcome {
  readonly end: TurnEnd;
  /** Whether the process can take the next prompt. */
  readonly usable: boolean;
}

export interface TurnRun {
  readonly turn: Turn;
  readonly attachment: Attachment;
  readonly journal: Journal;
  readonly context: ContextUse;
  readonly telemetry: Telemetry;
  readonly stop: (cause: StopCause) => void;
  /** Why it may not go on, where a tool begins or ends or needs leave; undefined where it may. Never rejects. */
  readonly pastBudget?: (() => Promise<StopCause | undefined>) | undefined;
  /** The turn has asked its client, as `turn.asked` has it. Rejects when that can't be kept. */
  readonly awaitAnswers: () => Promise<void>;
}

/**
 * Marks the prompt as delivered, writes it to the process and follows what comes, to the end that a process always gives.
 * Rejects with `storage_failed` or `session_moved` when it could not be read or marked; then the process has not seen it.
 */
export async function driveTurn(run: TurnRun): Promise<TurnOutcome> {
  const { turn, attachment, journal } = run;
  const content = await journal.contentFor(turn);
  await journal.append([deliveredRecord(turn.id, attachment.clientId, turn.promptId)]);
  // Stopped while that was being written: the process never sees the prompt.
  if (turn.cause !== undefined) return { end: endBy(turn.cause, 'interrupted'), usable: true };
  const { process } = attachment.connection;
  const model = turn.model ?? turn.agentOptions.model;
  const prompt = {
    promptId: turn.promptId,
    content,
    answers: turn.answers,
    ...(model !== undefined && { model }),
    ...(turn.system !== undefined && { system: turn.system }),
  };
  turn.delivered();
  return follow(run, process.prompt(prompt));
}

/** Follows a turn that goes on in another process, which was started for that. */
export function driveTakeUp(run: TurnRun): Promise<TurnOutcome> {
  const { process } = run.attachment.connection;
  return follow(run, process.takeUp(run.turn.answers));
}

async function follow(
  run: TurnRun,
  batches: AsyncIterable<readonly AgentOutput[]>,
): Promise<TurnOutcome> {
  const { turn, attachment, journal } = run;
  const { process } = attachment.connection;
  let lost: RoundhouseError | undefined;
  for await (const outputs of batches) {
    // Readers get at once what came at once.
    let previews: Preview[] = [];
    const showPreviews = (): void => {
      // What can't be kept must not be shown either, nor what comes after it: the rest is read and dropped.
      if (lost === undefined && previews.length > 0) journal.log.previews(turn.id, previews);
      previews = [];
    };
    for (const output of outputs) {
      turn.observe(output);
      if (output.kind === 'preview') {
        previews.push(output.preview);
        continue;
      }
      showPreviews();
      run.context.observe(output);
      if (output.kind === 'ended')
        return { end: endOf(output.end, lost), usable: output.processUsable && process.alive };
      if (output.kind === 'transcript_stale') {
        // Always: what the store did not take of the log it did likely not take of the transcript either.
        await noteStale(run, output.error);
        continue;
      }
      if (isToolBoundary(output) && run.pastBudget !== undefined && turn.cause === undefined) {
        const cause = await run.pastBudget();
        if (cause !== undefined) run.stop(cause);
      }
      // Only what is kept is waited for: an await for each of the others would be most of what a delta costs.
      if (lost !== undefined) continue;
      if (output.kind !== 'event' && output.kind !== 'answers_awaited') continue;
      try {
        if (output.kind === 'event') {
          await keep(run, output);
          noteCall(turn, output);
          continue;
        }
        for (const toolUseId of output.toolUseIds) {
          const eventId = turn.asked.eventOf(toolUseId);
          // One of the client's own has been asked about since it was shown.
          if (eventId !== undefined) turn.asked.ask({ toolUseId, eventId });
        }
        await run.awaitAnswers();
      } catch (error) {
        lost = asRoundhouseError(error, 'storage_failed');
        run.stop(lost);
      }
    }
    showPreviews();
  }
  throw new RoundhouseError('internal', 'The agent driver ended a turn without an end.');
}

/** Where the agent has been told by its model to use tools, or is about to tell it what came of that. */
function isToolBoundary({ kind }: AgentOutput): boolean {
  return kind === 'tool_started' || kind === 'tool_finished' || kind === 'answers_awaited';
}

/** The agent may be done before it can be stopped. What it said is not in the log all the same, so the turn has failed. */
function endOf(end: TurnEnd, lost: RoundhouseError | undefined): TurnEnd {
  if (lost === undefined) return end;
  return { ...end, reason: 'failed', error: { code: lost.code, message: lost.message } };
}

/** Which record is that of a call, until the call has its result. */
function noteCall(
  turn: Turn,
  { body, detail: { toolUseId } }: Extract<AgentOutput, { kind: 'event' }>,
): void {
  if (body.type === 'span.model_request_start') turn.asked.finishAll();
  if (toolUseId === undefined) return;
  // Its client may answer from here on.
  if (body.type === 'agent.custom_tool_use')
    turn.asked.ask({ eventId: body.id, toolUseId, ofClient: true });
  if (body.type === 'agent.tool_use' || body.type === 'agent.mcp_tool_use')
    turn.asked.show({ eventId: body.id, toolUseId });
  if (body.type === 'agent.tool_result') turn.asked.finish(body.tool_use_id);
  if (body.type === 'agent.mcp_tool_result') turn.asked.finish(body.mcp_tool_use_id);
}

async function noteStale(
  { attachment, journal, telemetry }: TurnRun,
  error: string,
): Promise<void> {
  telemetry.log.warn('session_transcript_stale', { id: journal.row.id, error });
  await journal.noteStaleTranscript(attachment.connection.processFolder);
}

async function keep(
  { turn, attachment, journal, telemetry }: TurnRun,
  output: Extract<AgentOutput, { kind: 'event' }>,
): Promise<void> {
  const { retry } = output.detail;
  if (retry !== undefined) {
    telemetry.metrics.count('roundhouse_retries_total', {
      status: String(retry.status ?? 'connection'),
    });
  }
  const detail = { ...output.detail, clientId: attachment.clientId };
  await journal.append([{ turnId: turn.id, body: output.body, detail }]);
}
