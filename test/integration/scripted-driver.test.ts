import { z } from 'zod';

import type { ScriptContext, ScriptStep } from '../../src/agent/scripted/script.ts';
import { ScriptedDriver } from '../../src/agent/scripted/scripted-driver.ts';
import { ScriptedProcess } from '../../src/agent/scripted/scripted-process.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { newClientId, newSessionId } from '../../src/events/ids.ts';
import { MemoryTranscriptStore } from '../../src/store/memory/memory-transcript-store.ts';
import { describeAgentDriver, type SituationPrompts } from '../conformance/agent-driver.ts';

/** A prompt names what the script does: a word, and behind a colon what it is about. */
const prompts: SituationPrompts = {
  say: (text) => `say:${text}`,
  recall: (text) => `recall:${text}`,
  think: () => 'think:',
  tool: (output) => `tool:${output}`,
  where: () => 'where:',
  ask: () => 'ask:',
  mark: (...messages) => `mark:${JSON.stringify(messages)}`,
  lookUp: (...keys) => `look:${JSON.stringify(keys)}`,
  hang: (where) => `hang:${where}`,
  fail: (status) => `fail:${status}`,
  cutOnce: () => 'cut:',
  pieces: (count) => `pieces:${count}`,
};

const FAILURES: Readonly<Record<string, ErrorCode>> = {
  400: 'upstream_invalid_request',
  401: 'upstream_authentication',
  403: 'upstream_permission',
  404: 'upstream_not_found',
  413: 'upstream_too_large',
  429: 'upstream_rate_limited',
  529: 'upstream_overloaded',
};

function stepsOf({ text: prompt, earlier, workspace }: ScriptContext): ScriptStep[] {
  const colon = prompt.indexOf(':');
  const word = prompt.slice(0, colon);
  const about = prompt.slice(colon + 1);
  switch (word) {
    case 'recall':
      return [{ text: [[...earlier, prompt].join(' | ')] }];
    case 'think':
      return [{ thinking: 'about it' }, { text: ['thought'] }];
    case 'tool':
      return [{ tool: 'Bash', input: { command: about }, output: about }, { text: ['done'] }];
    case 'where':
      return [{ tool: 'Bash', input: { command: 'pwd' }, output: workspace }, { text: ['done'] }];
    case 'ask':
      return [{ ask: 'Write', input: { file_path: 'written.txt' } }, { text: ['done'] }];
    case 'look': {
      const keys = z.array(z.string()).parse(JSON.parse(about));
      const asks = keys.map((key) => ({ tool: 'mcp__client__look_up', input: { key } }));
      return [{ asks }, { text: ['done'] }];
    }
    case 'mark': {
      const messages = z.array(z.array(z.string())).parse(JSON.parse(about));
      const asks = messages.map((names) => ({
        asks: names.map((name) => ({ tool: 'Bash', input: { mark: name } })),
      }));
      return [...asks, { text: ['done'] }];
    }
    case 'hang':
      if (about === 'tool') return [{ tool: 'Bash', output: '', runMs: 3_600_000 }];
      return about === 'text' ? [{ text: ['some'] }, { hang: true }] : [{ hang: true }];
    case 'fail':
      return failing(Number(about));
    case 'pieces':
      return [{ text: Array.from({ length: Number(about) }, (_, n) => `word${n} `) }];
    default:
      return [{ text: [about] }];
  }
}

/** What may succeed later is announced as repeated first. */
function failing(status: number): ScriptStep[] {
  const fail = FAILURES[status] ?? 'upstream_failed';
  const message = `The model API said ${status}.`;
  const repeated = status === 429 || status >= 500;
  return [...(repeated ? [{ retryInMs: 1, status }] : []), { fail, message }];
}

describeAgentDriver('scripted', () => {
  const marks = new Map<string, string[]>();
  const driver = new ScriptedDriver({
    script: (context) => ({ steps: stepsOf(context) }),
    onTool: ({ input }, { spec }) => {
      const left = marks.get(spec.agentSessionId) ?? [];
      marks.set(spec.agentSessionId, [...left, String(input['mark'])]);
    },
  });
  const inMemory = 'it lives in this process, and touches no file';
  return Promise.resolve({
    driver,
    driverWithoutExecutable: undefined,
    prompts,
    transcripts: new MemoryTranscriptStore(() => {}),
    otherModel: 'scripted-2',
    spec: (parts) => {
      const clientId = newClientId();
      const folders = { workspace: '/nowhere', processFolder: `/nowhere/${clientId}` };
      return Promise.resolve({ ...parts, ...folders, clientId, sessionId: newSessionId() });
    },
    marks: ({ agentSessionId }) => Promise.resolve(marks.get(agentSessionId) ?? []),
    discard: () => Promise.resolve(),
    leftovers: (clientId) =>
      Promise.resolve(driver.alive.filter((process) => process.clientId === clientId).length),
    kill(process, signal) {
      // One that is stopped says nothing more, as its script has it, and lives on.
      if (process instanceof ScriptedProcess && signal !== 'SIGSTOP') process.die(signal);
    },
    skip: {
      executable: inMemory,
      workspace: inMemory,
      'cut text': 'its texts are recorded whole; none is cut in the middle',
      'stale transcript': 'it writes nothing but to the store',
    },
  });
});
