import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { AgentSpec, TakeUp } from '../../contracts/agent-driver.ts';
import { startFailure } from './errors.ts';
import { leaveOf } from './permissions.ts';
import { writeLocalTranscript } from './local-transcript.ts';
import { deferredCallEntry, withOpenCalls } from './transcript.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/**
 * Prepares the folder of a process that goes on with a call of an earlier one, which it does as soon as it is up: before it
 * hears of any callback of the SDK (measured: it often wins that race, and would run the tool unasked). So its answer comes
 * from a hook in its settings, which it reads first. Returns the path of these settings. `session_connection_failed` when
 * the transcript has no such call any more.
 */
export async function prepareTakeUp(spec: AgentSpec, takeUp: TakeUp): Promise<string> {
  const { agentSessionId, transcripts, processFolder } = spec;
  const key = { agentSessionId, subpath: '' };
  const stored = await transcripts.load(key);
  const { entries, open } = withOpenCalls(stored, takeUp.neverHanded);
  if (!open.some(({ toolUseId }) => toolUseId === takeUp.call.toolUseId)) {
    throw startFailure(
      `The call ${takeUp.call.toolUseId} can't be taken up: the transcript has no such call without a result.`,
    );
  }
  if (entries.length < stored.length) await transcripts.replace(key, entries);
  await writeLocalTranscript(processFolder, agentSessionId, transcripts, [
    deferredCallEntry(agentSessionId, takeUp.call, entries),
  ]);
  return writeSettings(join(processFolder, 'take-up'), takeUp);
}

async function writeSettings(folder: string, { call, decision, last }: TakeUp): Promise<string> {
  await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
  const answer = join(folder, 'answer.json');
  const leave = leaveOf(decision);
  const output = {
    hookSpecificOutput: {
      hookEventName: 'PreToolUse',
      permissionDecision: leave.behavior,
      ...(leave.behavior === 'deny' && { permissionDecisionReason: leave.message }),
      ...(leave.behavior === 'allow' &&
        leave.updatedInput !== undefined && { updatedInput: leave.updatedInput }),
    },
  };
  await writeFile(answer, `${JSON.stringify(output)}\n`, { mode: PRIVATE_FILE });
  // Only for this one call. Texts of clients stay in the file: a command line can be read by others.
  const named = quoted(`"tool_use_id":${JSON.stringify(call.toolUseId)}`);
  const give = `IFS= read -r line < ${quoted(answer)}; printf '%s\\n' "$line"`;
  const hooks = {
    PreToolUse: [command(`IFS= read -r input; case "$input" in *${named}*) ${give};; esac`)],
    // The agent would tell the model to go on; behind the call's result its part is done.
    ...(!last && {
      UserPromptSubmit: [
        command(
          `IFS= read -r input; printf '%s\\n' '{"continue":false,"stopReason":"to be continued"}'`,
        ),
      ],
    }),
  };
  const settings = join(folder, 'settings.json');
  await writeFile(settings, JSON.stringify({ hooks }), { mode: PRIVATE_FILE });
  return settings;
}

function command(text: string) {
  return { hooks: [{ type: 'command', command: text }] };
}

/** A text as one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
