import { listPriceUsd } from '../events/list-price.ts';
import {
  addUsage,
  NO_USAGE,
  type EventDetail,
  type TurnEnd,
  type Usage,
} from '../events/record.ts';

/** What a turn has used, as its model requests have told: what they cost is an estimate by list prices. */
export interface Spent {
  readonly usage: Usage;
  readonly modelRequests: number;
  /** A model that was asked and has no list price, so that the cost is not all of it. */
  readonly unpricedModel?: string;
}

export const NOTHING_SPENT: Spent = { usage: NO_USAGE, modelRequests: 0 };

/** With one more model request. */
export function withRequest(
  spent: Spent,
  { model = 'that was asked', usage = NO_USAGE }: Pick<EventDetail, 'model' | 'usage'>,
): Spent {
  const costUsd = listPriceUsd(model, usage);
  return addSpent(spent, {
    usage: { ...usage, costUsd: costUsd ?? 0 },
    modelRequests: 1,
    ...(costUsd === undefined && { unpricedModel: model }),
  });
}

/** What a turn uses, in one process after the other. */
export class TurnCost {
  /** Used in processes that have gone, and in the present one as far as it has shown. */
  #before: Spent;
  #shown: Spent = NOTHING_SPENT;

  constructor(before: Spent = NOTHING_SPENT) {
    this.#before = before;
  }

  /** What it has used until now, in all its processes. */
  get spent(): Spent {
    return addSpent(this.#before, this.#shown);
  }

  /** The present process has made a model request. */
  add(request: Pick<EventDetail, 'model' | 'usage'>): void {
    this.#shown = withRequest(this.#shown, request);
  }

  /** Its process has gone, and will tell of no usage any more. */
  leaveBehind(): void {
    this.#before = this.spent;
    this.#shown = NOTHING_SPENT;
  }

  /** An end with what was used in the processes before, and with the estimated cost where its process did not tell it. */
  whole(end: TurnEnd): TurnEnd {
    const { usage, modelRequests } = this.#before;
    const costUsd = end.usage.costUsd === 0 ? this.#shown.usage.costUsd : end.usage.costUsd;
    return {
      ...end,
      usage: addUsage(usage, { ...end.usage, costUsd }),
      modelRequests: modelRequests + end.modelRequests,
    };
  }
}

function addSpent(a: Spent, b: Spent): Spent {
  const unpricedModel = a.unpricedModel ?? b.unpricedModel;
  return {
    usage: addUsage(a.usage, b.usage),
    modelRequests: a.modelRequests + b.modelRequests,
    ...(unpricedModel !== undefined && { unpricedModel }),
  };
}
