import type { BetaManagedAgentsAgentToolUseEvent } from '@anthropic-ai/sdk/resources/beta/sessions';

import type { AgentOutput } from '../../contracts/agent-driver.ts';
import type { EventDetail } from '../../events/record.ts';
import { after, type Timer } from '../../time/timers.ts';

/** How long the agent may take, from when it comes to a call, to say that it wants to ask about it. It takes 40 to 180 ms. */
const ASK_LIMIT_MS = 1_000;

/** A call of one of the agent's own tools, as it will be shown. */
export interface CallEvent extends Extract<AgentOutput, { kind: 'event' }> {
  readonly body: BetaManagedAgentsAgentToolUseEvent;
  readonly detail: EventDetail & { readonly toolUseId: string };
}

/** What is known of a call; what the agent does with it may be heard of before the call itself. */
interface Undecided {
  call?: CallEvent;
  verdict?: 'asked' | 'not-asked';
  timer?: Timer;
}

/**
 * The calls of one turn that the agent may want to ask about, though the options leave them to it or allow them: it looks at
 * the input of each. What is shown of a call is never changed, and says whether somebody is asked; so a call is kept back
 * until the agent asks, gives its result, or has been at it for {@link ASK_LIMIT_MS}.
 */
export class UndecidedCalls {
  readonly #show: (call: CallEvent) => void;
  readonly #calls = new Map<string, Undecided>();

  constructor(show: (call: CallEvent) => void) {
    this.#show = show;
  }

  /** The model has made a call. */
  add(call: CallEvent): void {
    const { toolUseId } = call.detail;
    const undecided = this.#undecided(toolUseId);
    undecided.call = call;
    if (undecided.verdict !== undefined) this.#decide(toolUseId, undecided.verdict);
  }

  /** The agent has come to a call, and will carry it out or ask. */
  begin(toolUseId: string): void {
    this.#undecided(toolUseId).timer ??= after(ASK_LIMIT_MS, () =>
      this.#decide(toolUseId, 'not-asked'),
    );
  }

  /** The agent asks about a call. One that has been shown stays as it is. */
  ask(toolUseId: string): void {
    this.#decide(toolUseId, 'asked');
  }

  /** The agent gives the result of a call. */
  finish(toolUseId: string): void {
    this.#decide(toolUseId, 'not-asked');
  }

  /** Whatever is kept back is shown: the turn ends, or stands still until its client answers. */
  showAll(): void {
    for (const [toolUseId, { call }] of this.#calls) {
      if (call !== undefined) this.#decide(toolUseId, 'not-asked');
    }
  }

  #decide(toolUseId: string, verdict: NonNullable<Undecided['verdict']>): void {
    const undecided = this.#undecided(toolUseId);
    undecided.timer?.cancel();
    undecided.verdict = verdict;
    const { call } = undecided;
    if (call === undefined) return;
    this.#calls.delete(toolUseId);
    this.#show(verdict === 'asked' ? { ...call, body: { ...call.body, ...ASKED } } : call);
  }

  #undecided(toolUseId: string): Undecided {
    const known = this.#calls.get(toolUseId);
    if (known !== undefined) return known;
    const undecided: Undecided = {};
    this.#calls.set(toolUseId, undecided);
    return undecided;
  }
}

/** In the API's words the agent looked at this call by itself, and left it to the client. */
const ASKED = {
  evaluated_permission: 'ask',
  evaluation: {
    type: 'auto',
    evaluated_permission: { type: 'ask', reason_code: 'indeterminate' },
  },
} as const;
