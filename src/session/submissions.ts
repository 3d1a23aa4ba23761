import {
  planInputs,
  type IdempotencyKey,
  type PlannedInput,
  type SessionInput,
  type SubmitRequest,
} from './session-input.ts';
import type { RequestMark, SessionStore } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionEvent } from '../events/record.ts';
import { wallClockIso } from '../time/clock.ts';

export interface SubmissionsParts {
  readonly sessionId: string;
  readonly store: Pick<SessionStore, 'findRequest'>;
  /** Keeps the events of all inputs with the mark, or nothing, and then does what they ask for. */
  readonly write: (inputs: readonly PlannedInput[], mark?: RequestMark) => Promise<void>;
}

interface UnderWay {
  readonly digest: string;
  readonly events: Promise<SessionEvent[]>;
}

/** The requests that clients send into one session. One that is sent again, under its key, is answered and not done again. */
export class Submissions {
  readonly #parts: SubmissionsParts;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(parts: SubmissionsParts) {
    this.#parts = parts;
  }

  /** See `SessionClient.submit`. */
  submit(
    inputs: readonly SessionInput[],
    { idempotency, complete }: SubmitRequest,
  ): Promise<SessionEvent[]> {
    if (idempotency === undefined) return this.#write(inputs, complete);
    const { key, digest } = idempotency;
    const same = this.#underWay.get(key);
    // Two that arrive at once: the second is answered as the first.
    if (same !== undefined)
      return same.digest === digest ? same.events : Promise.reject(otherRequest(key));
    const events = this.#once(inputs, idempotency, complete).finally(() =>
      this.#underWay.delete(key),
    );
    this.#underWay.set(key, { digest, events });
    return events;
  }

  async #once(
    inputs: readonly SessionInput[],
    request: IdempotencyKey,
    complete: SubmitRequest['complete'],
  ): Promise<SessionEvent[]> {
    const { sessionId, store } = this.#parts;
    const { key, digest } = request;
    const kept = await store.findRequest(sessionId, key, wallClockIso());
    if (kept === undefined) return this.#write(inputs, complete, request);
    if (kept.digest !== digest) throw otherRequest(key);
    return planInputs(inputs, kept.at, kept.eventIds).flatMap(({ events }) => events);
  }

  async #write(
    inputs: readonly SessionInput[],
    complete: SubmitRequest['complete'],
    request?: IdempotencyKey,
  ): Promise<SessionEvent[]> {
    const completed = complete === undefined ? inputs : await complete(inputs);
    const at = wallClockIso();
    const planned = planInputs(completed, at);
    const events = planned.flatMap((each) => each.events);
    const mark = request && { ...request, eventIds: events.map(({ id }) => id), at };
    await this.#parts.write(planned, mark);
    return events;
  }
}

function otherRequest(key: string): RoundhouseError {
  return new RoundhouseError(
    'idempotency_conflict',
    `The key ${JSON.stringify(key)} has been used for another request to this session; a new request needs a key of its own.`,
  );
}
