import { z } from 'zod';

import { makeSessions } from './make-sessions.ts';
import { managedTurn } from './managed-turn.ts';
import { SessionStreams } from './session-stream.ts';
import { Calm } from '../calm.ts';
import { withServer, type Stand } from '../capacity/stand.ts';
import { startChild, type Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { warmRounds } from '../latency/bench.ts';
import { HttpClient } from '../latency/http-client.ts';
import { compare, runRounds, type Variant } from '../latency/rounds.ts';
import { measurePaced, PACED_STREAMS } from '../sse/paced.ts';
import type { Sender } from '../sse/runs.ts';
import { CLIENT, startBareSenders, type StartProcess } from '../sse/start-senders.ts';
import { serveSuite, type SuiteOptions } from '../suite.ts';

/** How long all waits for a calm machine together may take. */
const PATIENCE_MS = 40_000;
const MESSAGES = '/v1/messages';
const OURS = 'events.send and stream';

serveSuite(runManaged);

/** What the Managed Agents API costs beside `/v1/messages` on the same sessions: a warm turn, and many streams at once. */
async function runManaged(options: SuiteOptions): Promise<Comparison[]> {
  const { quick, environment } = options;
  const children: Child[] = [];
  const start: StartProcess = (file) => {
    const child = startChild(file, { environment });
    children.push(child);
    return child;
  };
  try {
    const simulator = start(new URL('../latency/simulator-process.ts', import.meta.url));
    const stand: Stand = {
      ...options,
      simulatorUrl: await simulator.call('start', null, z.string()),
      calm: new Calm(quick ? 0 : PATIENCE_MS),
    };
    // One after the other: the agent process of the first must not be beside the second.
    const turns = await withServer(stand, 'real', { flags: {} }, ({ url }) =>
      warmTurns(url, stand),
    );
    const flags = { 'max-processes': String(PACED_STREAMS) };
    const streams = await withServer(
      stand,
      'deltas',
      { agents: 'deltas', flags },
      async ({ server, url }) => {
        const senders = [...(await startBareSenders(start)), ...(await bothWays(server, url))];
        return measurePaced(start(CLIENT), senders, OURS, quick);
      },
    );
    return [...turns, ...streams];
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

/** Turns of one session on its live process, by one API and the other. */
async function warmTurns(url: string, { calm, quick }: Stand): Promise<Comparison[]> {
  const messages = new HttpClient(url);
  const streams = new SessionStreams(url, 1);
  try {
    const id = (await makeSessions(url, 1))(0);
    // Its process is started by this one, whatever number of rounds is thrown away.
    await managedTurn(streams, id);
    const variants: Variant[] = [
      { name: MESSAGES, turn: () => messages.turn(id) },
      { name: OURS, turn: () => managedTurn(streams, id) },
    ];
    const timings = await runRounds(variants, warmRounds(quick), calm);
    if (!quick) {
      const { calm: begun, busy } = calm.report;
      console.log(`Begun on a calm machine: ${begun} of ${begun + busy} groups of rounds.`);
    }
    return compare('warm turn', timings, OURS);
  } finally {
    messages.close();
    streams.close();
  }
}

/** The same sessions of one server, by one API and the other. */
async function bothWays(server: Child, url: string): Promise<Sender[]> {
  const session = await makeSessions(url, PACED_STREAMS);
  return [
    { name: MESSAGES, server, url, kind: 'messages', session },
    { name: OURS, server, url, kind: 'managed', session },
  ];
}
