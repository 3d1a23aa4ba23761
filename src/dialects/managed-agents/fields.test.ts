import { expect, test } from 'vitest';
import { docTable } from '../testing/doc-table.ts';
import {
  AGENT_FIELDS,
  ENVIRONMENT_FIELDS,
  FILE_FIELDS,
  SESSION_FIELDS,
  SESSION_LIST_FIELDS,
  type FieldRule,
} from './fields.ts';

const DOC = new URL('../../../docs/managed-agents.md', import.meta.url);

test.each([
  ['## Fields of agents', AGENT_FIELDS],
  ['## Fields of environments', ENVIRONMENT_FIELDS],
  ['## Fields of files', FILE_FIELDS],
  ['## Fields of sessions', SESSION_FIELDS],
  ['## Parameters of the list of sessions', SESSION_LIST_FIELDS],
])('the table under "%s" is the same in docs/managed-agents.md', (heading, fields) => {
  const expected = Object.entries<FieldRule>(fields).map(([field, { effect, note }]) => [
    `\`${field}\``,
    effect,
    note,
  ]);
  expect(docTable(DOC, heading)).toEqual(expected);
});
