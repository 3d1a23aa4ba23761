import { Agent, request } from 'node:http';
import { z } from 'zod';

import { EventCounter } from './event-counter.ts';
import { machineMs, planSchema } from './plan.ts';
import { streamKindSchema, type RunResult } from './run-result.ts';
import { serveParent } from '../child.ts';
import { SessionStreams } from '../managed/session-stream.ts';

const runSchema = z.object({
  url: z.string(),
  kind: streamKindSchema,
  /** A stream of each is read. */
  sessions: z.array(z.string()).min(1),
  plan: planSchema,
});
type RunOptions = z.output<typeof runSchema>;

const STAMP = /@([\d.]+)@/g;

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
/** By the servers' URLs; their connections are kept from run to run. */
const managedClients = new Map<string, SessionStreams>();

serveParent({ methods: { run: (argument) => run(runSchema.parse(argument)) } });

/** Opens all streams at once and reads them to their ends. It only counts: parsing would be the greater part of the work. */
async function run(options: RunOptions): Promise<RunResult> {
  const startedAtMs = machineMs();
  const delaysMs: number[] = [];
  const counters = options.sessions.map(() => new EventCounter());
  const listeners = counters.map((counter) => (chunk: Buffer) => {
    counter.add(chunk);
    if (options.plan.stamped) noteDelays(chunk, delaysMs);
  });
  await (options.kind === 'messages' ? readMessages : readManaged)(options, listeners);
  const elapsedMs = machineMs() - startedAtMs;
  let events = 0;
  for (const { count } of counters) {
    if (count < options.plan.count) {
      throw new Error(`A stream brought ${count} of ${options.plan.count} deltas.`);
    }
    events += count;
  }
  return { elapsedMs, events, delaysMs };
}

/** For each session, what takes the chunks of its stream. */
type Listeners = readonly ((chunk: Buffer) => void)[];

async function readMessages(options: RunOptions, listeners: Listeners): Promise<void> {
  await Promise.all(listeners.map((listener, index) => readAnswer(options, index, listener)));
}

function readAnswer(
  { url, sessions, plan }: RunOptions,
  index: number,
  listener: (chunk: Buffer) => void,
): Promise<void> {
  const body = JSON.stringify({
    model: 'default',
    max_tokens: 1000,
    stream: true,
    messages: [{ role: 'user', content: JSON.stringify(plan) }],
  });
  const headers = { 'content-type': 'application/json', 'x-session-id': sessions[index] };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1/messages`, { method: 'POST', agent, headers }, (response) => {
      response.on('data', listener);
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`A prompt was answered with ${response.statusCode}.`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

/** All streams are open before the first message is sent, as those of `/v1/messages` are before their first delta. */
async function readManaged(
  { url, sessions, plan }: RunOptions,
  listeners: Listeners,
): Promise<void> {
  const client = managedClients.get(url) ?? new SessionStreams(url, Infinity);
  managedClients.set(url, client);
  const open = await Promise.all(
    listeners.map((listener, index) => client.open(sessions[index] ?? '', listener)),
  );
  await Promise.all(sessions.map((id) => client.send(id, JSON.stringify(plan))));
  await Promise.all(open.map(({ idleAtMs }) => idleAtMs));
  for (const stream of open) stream.close();
}

/** A stamp that two chunks share is lost, and with it one delay of very many. */
function noteDelays(chunk: Buffer, delaysMs: number[]): void {
  const now = machineMs();
  for (const [, madeAtMs] of chunk.toString('latin1').matchAll(STAMP)) {
    delaysMs.push(now - Number(madeAtMs));
  }
}
