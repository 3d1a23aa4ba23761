import { randomBytes } from 'node:crypto';

/** The id of a request: in the header `request-id`, in error bodies and in logs. */
export function newRequestId(): string {
  return `req_${randomBytes(12).toString('hex')}`;
}
