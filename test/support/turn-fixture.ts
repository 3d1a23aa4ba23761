import { ScriptedProcess } from '../../src/agent/scripted/scripted-process.ts';
import { echoScript } from '../../src/agent/scripted/script.ts';
import type { AgentOptions } from '../../src/contracts/agent-driver.ts';
import { PolicyAnswerer } from '../../src/pool/policy-answerer.ts';
import { fingerprint } from '../../src/session/agent-options.ts';
import { DEFAULT_TURN_LIMITS } from '../../src/definitions/turn-limits.ts';
import type { Attachment } from '../../src/session/link.ts';
import { Turn } from '../../src/session/turn.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';

/** A turn by itself, whose prompt is in the store. */
export function storedTurn(): Turn {
  const turn = unstoredTurn();
  turn.recorded(1);
  return turn;
}

/** A turn whose prompt is still being recorded. */
export function unstoredTurn(): Turn {
  return new Turn({
    content: [{ type: 'text', text: 'hello' }],
    model: undefined,
    agentOptions: {},
    limits: DEFAULT_TURN_LIMITS,
    telemetry: NO_TELEMETRY,
    onLimit: () => {},
  });
}

/** The hold on a process that lives in this one. */
export function attachmentOf(options: AgentOptions = {}) {
  const spec = {
    agentSessionId: 'id',
    sessionId: 'sesn_1',
    resume: false,
    clientId: 'client',
    workspace: '/w',
    processFolder: '/processes/p',
    options,
    transcripts: new MemorySessionStore().transcripts,
    answerer: new PolicyAnswerer(),
  };
  const process = new ScriptedProcess({ spec, script: echoScript, earlier: [], exitMs: 0 });
  const attachment: Attachment = {
    clientId: spec.clientId,
    connection: { clientId: spec.clientId, process, processFolder: spec.processFolder },
    optionsKey: fingerprint(options),
    options,
    sinceMs: 0,
    turns: 0,
    memoryBytes: undefined,
    lot: 0,
  };
  return { attachment, process };
}
