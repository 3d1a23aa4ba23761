import type { Population } from './population.ts';
import type { Processes } from './processes.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { SessionStatus } from '../session/states.ts';
import type { TurnPhase } from '../session/stream-handle.ts';

/** The pool in figures, as of now. */
export interface PoolStats {
  readonly residentSessions: number;
  readonly maxSessions: number;
  readonly processSlots: {
    readonly used: number;
    readonly capacity: number;
    readonly waiting: number;
  };
  readonly statuses: Readonly<Record<SessionStatus, number>>;
  readonly phases: Readonly<Partial<Record<TurnPhase, number>>>;
  readonly queuedTurns: number;
  readonly readers: number;
  /** Processes that are prepared for sessions to come. */
  readonly spares: { readonly ready: number; readonly starting: number };
}

/** The figures of a pool's sessions and processes. Looks at all that are in memory. */
export function poolStats(population: Population, { slots, spares }: Processes): PoolStats {
  const { used, capacity, waiting } = slots;
  return {
    residentSessions: population.size,
    maxSessions: population.capacity,
    processSlots: { used, capacity, waiting },
    spares: { ready: spares.ready, starting: spares.starting },
    ...sumUp(population.clients()),
  };
}

/** The part of the figures that comes from the sessions in memory. */
function sumUp(
  clients: readonly SessionClient[],
): Pick<PoolStats, 'statuses' | 'phases' | 'queuedTurns' | 'readers'> {
  // Also those that no session is in: a gauge that comes and goes can't be watched.
  const statuses: Record<SessionStatus, number> = {
    disconnected: 0,
    connecting: 0,
    idle: 0,
    active: 0,
    interrupting: 0,
    error: 0,
    closing: 0,
    ended: 0,
  };
  const phases: Partial<Record<TurnPhase, number>> = {};
  let queuedTurns = 0;
  let readers = 0;
  for (const client of clients) {
    statuses[client.status] += 1;
    queuedTurns += client.queuedTurns;
    readers += client.readerCount;
    if (client.phase !== undefined) phases[client.phase] = (phases[client.phase] ?? 0) + 1;
  }
  return { statuses, phases, queuedTurns, readers };
}
