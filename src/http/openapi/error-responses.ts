import { errorBodySchema } from '../../dialects/anthropic-messages/error-body.ts';
import { ERROR_KINDS, type ErrorCode } from '../../errors.ts';
import type { JsonSchema, Reference, ResponseObject } from './document-types.ts';
import { errorsByStatus } from './error-codes.ts';
import type { Route } from './route-list.ts';

/** The schema of every error. */
export const ERROR_SCHEMA = errorBodySchema;

/** Headers that answers can have, for the components of a document. */
export const HEADERS = {
  'request-id': {
    description: 'Names the request in logs and error bodies.',
    schema: { type: 'string' },
  },
  'retry-after': {
    description: 'Seconds until a retry is worth it.',
    schema: { type: 'integer', minimum: 0 },
  },
};

/** The one that every answer has. */
export const REQUEST_ID = { 'request-id': { $ref: '#/components/headers/request-id' } };
const RETRY_AFTER = { 'retry-after': { $ref: '#/components/headers/retry-after' } };

/** Codes that fit into the name of a shared response. */
const MAX_NAMED = 2;

/** The error responses of operations. What most of them have in common is written once. */
export class ErrorResponses {
  readonly #schema: JsonSchema;
  readonly #common: Record<string, ResponseObject> = {};

  /** `schema`: of the body. */
  constructor(schema: JsonSchema) {
    this.#schema = schema;
  }

  /** Those that were referred to so far, for the components of the document. */
  get common(): Readonly<Record<string, ResponseObject>> {
    return this.#common;
  }

  /** By status. Where a status means an answer already (a probe's 503), it stays that. */
  of(route: Route): [string, ResponseObject | Reference][] {
    return [...errorsByStatus(route)]
      .filter(([status]) => route.operation?.answers[status] === undefined)
      .map(([status, codes]) => [String(status), this.#response(status, codes)]);
  }

  #response(status: number, codes: readonly ErrorCode[]): ResponseObject | Reference {
    const response: ResponseObject = {
      description: codes.map((code) => `\`${code}\`: ${ERROR_KINDS[code].when}`).join(' '),
      headers: status === 503 ? { ...REQUEST_ID, ...RETRY_AFTER } : REQUEST_ID,
      content: { 'application/json': { schema: this.#schema } },
      'x-error-codes': codes,
    };
    if (codes.length > MAX_NAMED) return response;
    const name = [status, ...codes].join('.');
    this.#common[name] = response;
    return { $ref: `#/components/responses/${name}` };
  }
}
