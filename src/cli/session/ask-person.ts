import { stringify } from 'yaml';

import type { CallAnswer, PendingCall } from './pending-call.ts';
import { printable } from '../output/printable.ts';

/** Puts a question to the person and resolves with the line; undefined when there comes none any more. */
export type Ask = (question: string) => Promise<string | undefined>;

/** Shows a call with its whole input, and asks what to say to it. Undefined when the person has left. */
export async function askPerson(
  call: PendingCall,
  ask: Ask,
  show: (text: string) => void,
): Promise<CallAnswer | undefined> {
  const input = stringify(call.input, { lineWidth: 0 }).trimEnd().replaceAll(/^/gm, '  ');
  const own = call.type === 'agent.custom_tool_use';
  const wish = own ? 'wants you to run' : 'wants to use';
  show(printable(`\nThe agent ${wish} ${call.name}:\n${input}\n`));
  return own ? askResult(ask) : askLeave(ask);
}

async function askLeave(ask: Ask): Promise<CallAnswer | undefined> {
  for (;;) {
    const line = await ask('Allow it? [y]es, [n]o, or no and why: ');
    if (line === undefined) return undefined;
    if (/^y(es)?$/i.test(line.trim())) return { kind: 'allow' };
    const [no, why] = /^no?\b[\s,:]*(.*)$/i.exec(line.trim()) ?? [];
    // Anything else is no answer: leave is given and refused by who means it.
    if (no !== undefined) return { kind: 'deny', message: why === '' ? undefined : why };
  }
}

async function askResult(ask: Ask): Promise<CallAnswer | undefined> {
  const text = await ask('Its result (nothing: it was not run): ');
  if (text === undefined) return undefined;
  return text.trim() === ''
    ? { kind: 'deny', message: undefined }
    : { kind: 'result', text, isError: false };
}
