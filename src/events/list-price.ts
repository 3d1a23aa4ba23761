import type { Usage } from './record.ts';

/** US dollars for a million tokens. */
interface ListPrice {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  /** For the shorter of the two lives that a cache entry can have: which one it was is not told. */
  readonly cacheWrite: number;
}

interface Priced extends ListPrice {
  /** Where a request with more input than so many tokens, cached ones included, has prices of its own, for all of its tokens. */
  readonly beyond?: { readonly inputTokens: number; readonly price: ListPrice };
}

/**
 * Public list prices of Anthropic's API, from https://platform.claude.com/docs/en/about-claude/pricing as it was known on
 * 2026-11-22; without discounts for batches and surcharges for regions or speed. A model that is not here has no price that we know.
 */
const LIST_PRICES: Readonly<Record<string, Priced>> = {
  'claude-fable-5-2': price(8, 40, 0.2),
  'claude-fable-5-1': price(10, 50, 0.25),
  'claude-fable-5': price(10, 50, 1),
  'claude-mythos-5-1': price(10, 50, 0.25),
  'claude-mythos-5': price(10, 50, 1),
  'claude-opus-5-5': price(4, 20, 0.2),
  'claude-opus-5': price(5, 25, 0.5),
  'claude-opus-4-8': price(5, 25, 0.5),
  'claude-opus-4-7': price(5, 25, 0.5),
  'claude-opus-4-6': price(5, 25, 0.5),
  'claude-opus-4-5': price(5, 25, 0.5),
  'claude-opus-4-1': price(15, 75, 1.5),
  'claude-sonnet-5-5': price(2, 10, 0.1),
  'claude-sonnet-5': price(2, 10, 0.2),
  'claude-sonnet-4-6': price(3, 15, 0.3),
  'claude-sonnet-4-5': price(3, 15, 0.3),
  'claude-haiku-5-5': {
    ...price(0.1, 0.5, 0.01),
    beyond: { inputTokens: 100_000, price: price(0.5, 2.5, 0.05) },
  },
  'claude-haiku-4-5': price(1, 5, 0.1),
};

/** Writing to the cache costs a quarter more than plain input, for every model. */
function price(input: number, output: number, cacheRead: number): ListPrice {
  return { input, output, cacheRead, cacheWrite: input * 1.25 };
}

/** Whether a model has a public list price that we know: by its whole name, with or without its date. */
export function hasListPrice(model: string): boolean {
  return pricedModel(model) !== undefined;
}

/**
 * What one model request costs at list price, in US dollars. It is an estimate: of what decides the price, only the model and
 * the tokens are known. Undefined for tokens of a model without a price.
 */
export function listPriceUsd(model: string, usage: Usage): number | undefined {
  const { inputTokens, outputTokens, cacheReadInputTokens, cacheCreationInputTokens } = usage;
  const allInput = inputTokens + cacheReadInputTokens + cacheCreationInputTokens;
  if (allInput + outputTokens === 0) return 0;
  const priced = pricedModel(model);
  if (priced === undefined) return undefined;
  const { beyond } = priced;
  const { input, output, cacheRead, cacheWrite } =
    beyond !== undefined && allInput > beyond.inputTokens ? beyond.price : priced;
  const perMillion =
    inputTokens * input +
    outputTokens * output +
    cacheReadInputTokens * cacheRead +
    cacheCreationInputTokens * cacheWrite;
  return perMillion / 1_000_000;
}

function pricedModel(model: string): Priced | undefined {
  // `[1m]` is how Claude Code asks for the longer context; it has no price of its own.
  const name = model.replace(/\[1m\]$/, '').replace(/-\d{8}$/, '');
  return Object.hasOwn(LIST_PRICES, name) ? LIST_PRICES[name] : undefined;
}
