/** A conversation goes on after its process, and the whole pool, has gone: a session is data, a process a cache of it. */
import assert from 'node:assert/strict';

import { openSessionPool, type OpenedSessionPool } from '../src/index.ts'; // in a project of yours: 'roundhouse'
import { mustContain, withSimulator } from './simulated.ts';

await withSimulator(async (on) => {
  const first = await openSessionPool(on);
  console.log(await ask(first, 'Remember the number 4711.'));
  await first.close();
  console.log('Closed: no process is left.');

  const second = await openSessionPool(on);
  try {
    const answer = await ask(second, 'Which number was it?');
    console.log(answer);
    mustContain(answer, 'Remember the number 4711.');
    // the events of both turns are there, numbered without a gap
    const session = await second.pool.getSessionClient('numbers');
    assert.equal(session.metrics.messageCount, 2);
  } finally {
    await second.close();
  }
});

/** One turn of the session `numbers`; its answer is read from the kept records. */
async function ask({ pool }: OpenedSessionPool, question: string): Promise<string> {
  console.log(`\n> ${question}`);
  const session = await pool.getSessionClient('numbers');
  const turn = await session.prompt([{ type: 'text', text: question }]);
  let answer = '';
  for await (const { record } of turn) {
    if (record?.body.type !== 'agent.message') continue;
    for (const block of record.body.content) answer += block.type === 'text' ? block.text : '';
  }
  assert.equal((await turn.ended).reason, 'completed');
  return answer;
}
