/** A pool in this process: two prompts on one session, and a second session that knows nothing of the first. */
import assert from 'node:assert/strict';

import { openSessionPool, type SessionClient } from '../src/index.ts'; // in a project of yours: 'roundhouse'
import { mustContain, withSimulator } from './simulated.ts';

await withSimulator(async ({ dataDir, credentials }) => {
  const library = await openSessionPool({ dataDir, credentials });
  try {
    const ada = await library.pool.getSessionClient('ada');
    await ask(ada, 'My name is Ada.');
    // the same session, the same process: it was shown what came before
    mustContain(await ask(ada, 'What is my name?'), 'My name is Ada.');
    assert.equal(ada.metrics.messageCount, 2);

    const bob = await library.pool.getSessionClient('bob');
    const answer = await ask(bob, 'What is my name?');
    assert.ok(!answer.includes('Ada'), 'A session must not see another one.');
    assert.equal(library.pool.stats().residentSessions, 2);
  } finally {
    await library.close();
  }
});

/** One turn: writes the text as it comes, and gives it as a whole. */
async function ask(session: SessionClient, question: string): Promise<string> {
  console.log(`\n> ${question}`);
  const turn = await session.prompt([{ type: 'text', text: question }]);
  let answer = '';
  for await (const { preview } of turn) {
    if (preview?.kind !== 'text_delta') continue;
    process.stdout.write(preview.text);
    answer += preview.text;
  }
  console.log();
  const end = await turn.ended;
  assert.equal(end.reason, 'completed', end.error?.message);
  return answer;
}
