import { Agent, request } from 'node:http';
import { z } from 'zod';

import { EventCounter } from './event-counter.ts';
import { machineMs, planSchema, type Plan } from './plan.ts';
import type { RunResult } from './run-result.ts';
import { serveParent } from '../child.ts';

const runSchema = z.object({ url: z.string(), streams: z.int().min(1), plan: planSchema });

const STAMP = /@([\d.]+)@/g;

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

serveParent({ methods: { run: (argument) => run(runSchema.parse(argument)) } });

/** Opens all streams at once and reads them to their ends. It only counts: parsing would be the greater part of the work. */
async function run({ url, streams, plan }: z.output<typeof runSchema>): Promise<RunResult> {
  const startedAtMs = machineMs();
  const delaysMs: number[] = [];
  const counts = await Promise.all(
    Array.from({ length: streams }, (_, index) => readStream(url, index, plan, delaysMs)),
  );
  const elapsedMs = machineMs() - startedAtMs;
  return { elapsedMs, events: counts.reduce((sum, count) => sum + count, 0), delaysMs };
}

function readStream(url: string, index: number, plan: Plan, delaysMs: number[]): Promise<number> {
  const body = JSON.stringify({
    model: 'bench',
    max_tokens: 1000,
    stream: true,
    messages: [{ role: 'user', content: JSON.stringify(plan) }],
  });
  const headers = { 'content-type': 'application/json', 'x-session-id': `stream-${index}` };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/messages`, { method: 'POST', agent, headers }, (response) => {
      const counter = new EventCounter();
      response.on('data', (chunk: Buffer) => {
        counter.add(chunk);
        if (plan.stamped) noteDelays(chunk, delaysMs);
      });
      response.once('error', reject);
      response.once('end', () => {
        const { count } = counter;
        if (response.statusCode === 200 && count >= plan.count) resolve(count);
        else reject(new Error(`Status ${response.statusCode}, ${count} of ${plan.count} deltas.`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** A stamp that two chunks share is lost, and with it one delay of very many. */
function noteDelays(chunk: Buffer, delaysMs: number[]): void {
  const now = machineMs();
  for (const [, madeAtMs] of chunk.toString('latin1').matchAll(STAMP)) {
    delaysMs.push(now - Number(madeAtMs));
  }
}
