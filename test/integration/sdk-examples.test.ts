import { NotFoundError } from '@anthropic-ai/sdk';
import { describe, expect, test } from 'vitest';
import { docTable } from '../../src/dialects/testing/doc-table.ts';
import { catalogServer, failure } from '../support/catalog-server.ts';
import { sdkExamples, sdkTexts } from '../support/sdk-examples.ts';
import { AGENT_EXAMPLES } from './sdk-examples/agents.ts';
import { ENVIRONMENT_EXAMPLES } from './sdk-examples/environments.ts';
import type { Examples } from './sdk-examples/example.ts';
import { FILE_EXAMPLES } from './sdk-examples/files.ts';
import { NOT_OFFERED } from './sdk-examples/not-offered.ts';
import { SCRIPT } from './sdk-examples/scene.ts';
import { SESSION_EVENT_EXAMPLES } from './sdk-examples/session-events.ts';
import { SESSION_EXAMPLES } from './sdk-examples/sessions.ts';

/** Every example in the doc comments of the SDK for this API, by what it documents. */
const LISTED: Examples = {
  ...AGENT_EXAMPLES,
  ...ENVIRONMENT_EXAMPLES,
  ...SESSION_EXAMPLES,
  ...SESSION_EVENT_EXAMPLES,
  ...FILE_EXAMPLES,
  ...NOT_OFFERED,
};

const DOC = new URL('../../docs/managed-agents.md', import.meta.url);

function name(documents: string): string {
  return documents.replace(/^beta\./, '');
}

describe('the list', () => {
  const examples = sdkExamples();

  test('has each example of the installed SDK, and no other', () => {
    const found = examples.map((example) => example.name).toSorted();
    expect(found).toEqual(Object.keys(LISTED).toSorted());
  });

  test('is of the examples as they are: one that says something else is to be looked at again', async () => {
    const lines = examples.map((example) => `${example.name}: ${oneLine(example.code)}\n`);
    await expect(lines.toSorted().join('')).toMatchFileSnapshot('./sdk-examples/examples.txt');
  });

  test('misses none that stands elsewhere in the package', () => {
    const { 'CHANGELOG.md': _changes, ...texts } = sdkTexts();
    expect(Object.keys(texts)).toEqual(['README.md']);
    expect(texts['README.md']).not.toContain('client.beta');
  });

  test('is the one of docs/managed-agents.md', () => {
    const ran = Object.entries(LISTED).map(([documents, example]): [string, string] => [
      'reason' in example ? example.reason : 'runs',
      `\`${name(documents)}\``,
    ]);
    const grouped = Map.groupBy(ran, ([outcome]) => outcome);
    const rows = [...grouped].map(([outcome, group]) => [
      group.map(([, documents]) => documents).join(', '),
      outcome,
    ]);
    expect(docTable(DOC, "## The SDK's own examples")).toEqual(rows);
  });
});

const RUN = Object.entries(LISTED).flatMap(([documents, example]) =>
  'run' in example ? [[documents, example.run] as const] : [],
);

test.each(RUN)('the example of %s runs', async (_documents, run) => {
  const server = await catalogServer({ pool: { driver: { script: SCRIPT } } });
  await expect(run(server)).resolves.toBeUndefined();
});

const REFUSED = Object.entries(LISTED).flatMap(([documents, example]) =>
  'reason' in example ? [[documents, example.reason, example.refused] as const] : [],
);

test.each(REFUSED)('the example of %s is refused: %s', async (_documents, _reason, refused) => {
  const { alice } = await catalogServer();
  const error = await failure(refused(alice.withOptions({ logLevel: 'off' })), NotFoundError);
  expect(error.message).toContain('There is no ');
});

function oneLine(code: string): string {
  return code.replace(/\s+/g, ' ').trim();
}
