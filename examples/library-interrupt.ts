/** A turn is interrupted in the middle of its answer; the session is usable at once, on the same process. */
import assert from 'node:assert/strict';

import { openSessionPool } from '../src/index.ts'; // in a project of yours: 'roundhouse'
import { mustContain, withSimulator } from './simulated.ts';

await withSimulator(async (on) => {
  const library = await openSessionPool(on);
  try {
    const session = await library.pool.getSessionClient('impatient');
    // a directive of the simulator: docs/simulator.md
    const long = await session.prompt([{ type: 'text', text: '[[long 5000 words]]' }]);
    let pieces = 0;
    for await (const { preview } of long) {
      if (preview?.kind !== 'text_delta') continue;
      process.stdout.write(preview.text);
      pieces += 1;
      if (pieces === 20) await long.interrupt();
    }
    const end = await long.ended;
    console.log(`\nThe turn ended: ${end.reason} (${end.error?.code})`);
    assert.equal(end.reason, 'interrupted');
    assert.equal(end.error?.code, 'turn_interrupted');

    const next = await session.prompt([{ type: 'text', text: 'And now?' }]);
    let answer = '';
    for await (const { preview } of next) {
      if (preview?.kind === 'text_delta') answer += preview.text;
    }
    console.log(answer);
    assert.equal((await next.ended).reason, 'completed');
    mustContain(answer, 'And now?');
  } finally {
    await library.close();
  }
});
