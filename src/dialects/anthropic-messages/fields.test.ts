import { expect, test } from 'vitest';
import { docTable } from '../testing/doc-table.ts';
import { FIELDS, ruleOf } from './fields.ts';

const DOC = new URL('../../../docs/http-api.md', import.meta.url);

test('the table of fields is the same in docs/http-api.md', () => {
  const expected = Object.entries(FIELDS).map(([field, { effect, note }]) => [
    `\`${field}\``,
    effect,
    note,
  ]);
  expect(docTable(DOC, '## Fields of `POST /v1/messages`')).toEqual(expected);
});

test('only top-level fields have a rule of their own name', () => {
  expect(ruleOf('system')?.effect).toBe('takes effect');
  expect(ruleOf('metadata.user_id')).toBeUndefined();
  expect(ruleOf('constructor')).toBeUndefined();
});
