import { z } from 'zod';
import type { FieldRule } from '../dialects/managed-agents/fields.ts';
import { wholeNumberOr } from './query.ts';

/** Items of a page, unless the caller says otherwise; default and maximum are the API's. */
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/** What the SDK puts on every request of its beta resources; it changes nothing. */
export const beta = { beta: z.string().optional().describe('Accepted; changes nothing.') };

/** Parameters of every listing of the Managed Agents API. */
export const page = {
  ...beta,
  limit: wholeNumberOr(DEFAULT_LIMIT, 1, MAX_LIMIT).describe('Items of a page.'),
  /** Empty is the SDK's null: the first page. */
  page: z
    .string()
    .max(300)
    .optional()
    .transform((cursor) => (cursor === '' ? undefined : cursor))
    .describe('The `next_page` of the page before.'),
};

/** Whether archived items are listed too. */
export const includeArchived = z
  .enum(['true', 'false'])
  .optional()
  .transform((value) => value === 'true')
  .describe('Whether archived ones are listed too.');

/** A bound of a time, as documents carry it. */
export const moment = z.iso
  .datetime({ offset: true, error: 'expected a time in RFC 3339, such as 2026-11-22T10:15:30Z' })
  .transform((text) => new Date(text).toISOString())
  .optional();

/** A parameter that this host can't honour. */
export function refusedParameter(rule: FieldRule) {
  return z
    .string()
    .refine(() => false, `not supported by this server: ${rule.note}; remove it`)
    .optional()
    .describe(`Refused: ${rule.note}`);
}

/** A page as the SDK's `PageCursor` reads it. */
export interface PageBody<Item> {
  readonly data: readonly Item[];
  readonly next_page: string | null;
}
