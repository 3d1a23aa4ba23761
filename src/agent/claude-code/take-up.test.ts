import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';

import type { TakeUp } from '../../contracts/agent-driver.ts';
import { PolicyAnswerer } from '../../pool/policy-answerer.ts';
import { MemoryTranscriptStore } from '../../store/memory/memory-transcript-store.ts';
import { prepareTakeUp } from './take-up.ts';

const hookSchema = z.array(z.object({ hooks: z.array(z.object({ command: z.string() })) }));
const settingsSchema = z.object({
  hooks: z.object({ PreToolUse: hookSchema, UserPromptSubmit: hookSchema.optional() }),
});

const CALL = { toolUseId: 'toolu_1', toolName: 'Bash', input: { command: 'ls' } };

/** What commands say to an input, as the agent runs them. */
function say(list: z.infer<typeof hookSchema> = [], given: unknown = {}): unknown[] {
  return list.map(({ hooks: [hook] }) => {
    const input = JSON.stringify(given);
    const said = execFileSync('/bin/sh', ['-c', hook?.command ?? ''], { input });
    return said.length === 0 ? undefined : JSON.parse(said.toString());
  });
}

/** What the hooks of a process that takes up the call say. */
async function hooksOf(parts: Pick<TakeUp, 'decision' | 'last'>) {
  // A folder may be called anything.
  const processFolder = await mkdtemp(join(tmpdir(), "rh-it's $HOME "));
  onTestFinished(() => rm(processFolder, { recursive: true, force: true }));
  const transcripts = new MemoryTranscriptStore(() => {});
  const content = [{ type: 'tool_use', id: 'toolu_1', name: 'Bash', input: CALL.input }];
  await transcripts.append({ agentSessionId: 's', subpath: '' }, [
    { type: 'assistant', uuid: 'a', message: { id: 'msg_1', content } },
  ]);
  const takeUp = { ...parts, call: CALL, eventId: 'e', neverHanded: ['toolu_1'] };
  const spec = {
    agentSessionId: 's',
    sessionId: 'sesn_1',
    resume: true,
    clientId: 'clnt_1',
    processFolder,
    options: {},
    transcripts,
    answerer: new PolicyAnswerer(),
  };
  const settings = await prepareTakeUp(spec, takeUp);
  const { hooks } = settingsSchema.parse(JSON.parse(await readFile(settings, 'utf8')));
  return {
    commands: JSON.stringify(hooks),
    toTool: (id: string, input: unknown) =>
      say(hooks.PreToolUse, { tool_name: 'Bash', tool_input: input, tool_use_id: id }),
    toPrompt: () => say(hooks.UserPromptSubmit),
  };
}

test('the settings of a process answer the one call that it takes up, and no other', async () => {
  const message = `Not "this", it's $HOME; \`no\`\nand a second line`;
  const hooks = await hooksOf({ decision: { behavior: 'deny', message }, last: true });
  const denied = { permissionDecision: 'deny', permissionDecisionReason: message };
  expect(hooks.toTool('toolu_1', CALL.input)).toMatchObject([{ hookSpecificOutput: denied }]);
  expect(hooks.toTool('toolu_2', CALL.input)).toEqual([undefined]);
  expect(hooks.toTool('toolu_2', { command: '"tool_use_id":"toolu_1"' })).toEqual([undefined]);
  // A command line can be read by others.
  expect(hooks.commands).not.toContain('second line');
});

test('only the process of the last call goes on behind it', async () => {
  const decision = { behavior: 'allow' } as const;
  const last = await hooksOf({ decision, last: true });
  expect(last.toPrompt()).toEqual([]);
  const more = await hooksOf({ decision, last: false });
  expect(more.toTool('toolu_1', {})).toMatchObject([
    { hookSpecificOutput: { permissionDecision: 'allow' } },
  ]);
  expect(more.toPrompt()).toMatchObject([{ continue: false }]);
});
