import { echoScript, type Script, type ScriptedTurn } from '../../src/agent/scripted/script.ts';

/** A script that treats some prompts, by their text, in its own way and echoes all others. */
export function scriptOf(turns: Readonly<Record<string, ScriptedTurn>>): Script {
  return (context) => turns[context.text] ?? echoScript(context);
}

/** Says something and then nothing more, until it is interrupted. */
export const HANGS: ScriptedTurn = { steps: [{ text: ['thinking about it'] }, { hang: true }] };

/** The same, and it does not hear the interrupt. */
export const HANGS_DEAF: ScriptedTurn = { ...HANGS, interruptible: false };

/** A broken connection: the process never takes the prompt. */
export const NEVER_TAKEN: ScriptedTurn = { steps: [], accepts: false };

/** Works for so long, then answers. */
export function worksFor(ms: number, answer = 'done'): ScriptedTurn {
  return { steps: [{ waitMs: ms }, { text: [answer] }] };
}
