import { newAgentSessionId, newSessionId } from '../events/ids.ts';
import type { Slots, Slot } from './slots.ts';
import type { Spare } from './spares.ts';
import type { AgentDriver, AgentOptions } from '../contracts/agent-driver.ts';
import type { Host } from '../contracts/host.ts';
import type { SessionRow, SessionStore } from '../contracts/session-store.ts';
import type { SeedMessage } from '../contracts/transcripts.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';
import { unlessAborted } from '../time/deadline.ts';
import { wallClockIso } from '../time/clock.ts';

/** What a session is made of when it does not exist yet. */
export interface NewSessionRequest {
  readonly tenant: string;
  readonly name: string;
  readonly kind: SessionRow['kind'];
  readonly options: AgentOptions;
  readonly limits: SessionRow['limits'];
  readonly history: readonly SeedMessage[];
}

export interface ResidentsParts {
  readonly store: SessionStore;
  readonly host: Host;
  readonly driver: AgentDriver;
  /** Places in memory. */
  readonly places: Slots;
  /** This host's name, as the owner of its sessions. */
  readonly owner: string;
  /** A process, with ids, that is ready for a new session of these options. */
  readonly takeSpare: (options: AgentOptions) => Spare | undefined;
  readonly discardSpare: (spare: Spare) => Promise<void>;
  readonly makeClient: (row: SessionRow, lastNumber: number, spare?: Spare) => SessionClient;
  /** A session has come into memory, and everybody who waited for it had left. */
  readonly onUnawaited: (client: SessionClient) => void;
}

/** A session on its way into memory, and those who wait for it. */
interface Arrival {
  /** Settles with undefined when the session turned out to be unknown. */
  readonly done: Promise<SessionClient | undefined>;
  /** Aborted when nobody waits any more: the wait for a place is given up. */
  readonly abort: AbortController;
  waiters: number;
}

/** What an arrival brings in. */
interface Arriving {
  readonly row: SessionRow;
  /** Set when it is new and a prepared process was there. */
  readonly spare?: Spare;
}

interface Resident {
  readonly client: SessionClient;
  readonly place: Slot;
  /** Set while the session leaves memory: nobody is given it any more. */
  departure: Promise<void> | undefined;
}

/**
 * The sessions in memory, by tenant and name. Bringing one in happens once however many ask for it: a caller who leaves
 * cancels its wait, and the last one frees the place in the queue for a place in memory.
 */
export class Residents {
  readonly #parts: ResidentsParts;
  readonly #residents = new Map<string, Resident>();
  readonly #arrivals = new Map<string, Arrival>();

  constructor(parts: ResidentsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#residents.size;
  }

  get(tenant: string, name: string): SessionClient | undefined {
    const resident = this.#residents.get(keyOf(tenant, name));
    return resident?.departure === undefined ? resident?.client : undefined;
  }

  /** A snapshot, without those that are leaving. */
  clients(): SessionClient[] {
    const present: SessionClient[] = [];
    for (const { client, departure } of this.#residents.values()) {
      if (departure === undefined) present.push(client);
    }
    return present;
  }

  /** The session, brought into memory if it is known. Undefined when it is not. */
  async find(
    tenant: string,
    name: string,
    signal?: AbortSignal,
  ): Promise<SessionClient | undefined> {
    const key = keyOf(tenant, name);
    if (this.get(tenant, name) === undefined && !this.#arrivals.has(key)) {
      // Unknown sessions must not wait for a place.
      if ((await this.#parts.store.findSession(tenant, name)) === undefined) return undefined;
    }
    return this.#join(key, signal, async () => {
      const row = await this.#parts.store.findSession(tenant, name);
      return row && this.#claim(row.id);
    });
  }

  /** The session, brought into memory or made. */
  async findOrCreate(request: NewSessionRequest, signal?: AbortSignal): Promise<SessionClient> {
    const key = keyOf(request.tenant, request.name);
    for (;;) {
      const client = await this.#join(key, signal, async () => {
        const row = await this.#parts.store.findSession(request.tenant, request.name);
        return row === undefined ? this.#create(request) : this.#claim(row.id);
      });
      // An arrival that was joined may have been looking for a session that is being deleted.
      if (client !== undefined) return client;
    }
  }

  /**
   * Takes a session out of memory. From now on nobody is given it, and whoever asks for it again waits until `work`, which
   * ends its process, is done. A second call joins the first.
   */
  depart(client: SessionClient, work: () => Promise<void>): Promise<void> {
    const key = keyOf(client.tenant, client.name);
    const resident = this.#residents.get(key);
    if (resident?.client !== client) return Promise.resolve();
    resident.departure ??= work().finally(() => {
      this.#residents.delete(key);
      resident.place.release();
    });
    return resident.departure;
  }

  /** Settles when those who are leaving have left. */
  async empty(): Promise<void> {
    const departures = [...this.#residents.values()].map(({ departure }) =>
      Promise.resolve(departure),
    );
    await Promise.allSettled(departures);
  }

  /**
   * Does `work` with a known session that is not in memory, without a place there. Whoever asks for it meanwhile waits, and
   * looks again. False when nobody knows the session, undefined when it is in memory.
   */
  async whileAbsent(
    tenant: string,
    name: string,
    work: (row: SessionRow) => Promise<boolean>,
  ): Promise<boolean | undefined> {
    const key = keyOf(tenant, name);
    await this.#residents.get(key)?.departure;
    await this.#arrivals.get(key)?.done.catch(ignoreOthers);
    if (this.#residents.has(key) || this.#arrivals.has(key)) return undefined;
    let result = false;
    await this.#arrival(key, async () => {
      const row = await this.#parts.store.findSession(tenant, name);
      if (row !== undefined) result = await work(row);
      return undefined;
    }).done;
    return result;
  }

  async #join(
    key: string,
    signal: AbortSignal | undefined,
    find: () => Promise<Arriving | undefined>,
  ): Promise<SessionClient | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      // It may have come into memory while the caller looked elsewhere; a second client of one session must never be.
      const resident = this.#residents.get(key);
      if (resident !== undefined && resident.departure === undefined) return resident.client;
      const arrival =
        this.#arrivals.get(key) ??
        this.#arrival(key, (unawaited) => this.#arrive(key, find, unawaited));
      arrival.waiters += 1;
      try {
        return await unlessAborted(arrival.done, signal);
      } catch (error) {
        if (signal?.aborted === true) {
          if (arrival.waiters === 1) this.#giveUp(arrival);
          throw error;
        }
        // Who joined an arrival that was being given up did not give it up.
        if (!arrival.abort.signal.aborted) throw error;
      } finally {
        arrival.waiters -= 1;
      }
    }
  }

  #arrival(
    key: string,
    work: (unawaited: AbortSignal) => Promise<SessionClient | undefined>,
  ): Arrival {
    const abort = new AbortController();
    const done = work(abort.signal).finally(() => this.#arrivals.delete(key));
    const arrival = { done, abort, waiters: 0 };
    this.#arrivals.set(key, arrival);
    return arrival;
  }

  /** Nobody waits any more. What is beyond the wait for a place comes to its end all the same. */
  #giveUp({ abort, done }: Arrival): void {
    abort.abort(new RoundhouseError('turn_cancelled', 'Nobody waits for the session any more.'));
    void done.then((client) => client && this.#parts.onUnawaited(client), ignoreOthers);
  }

  async #arrive(
    key: string,
    find: () => Promise<Arriving | undefined>,
    unawaited: AbortSignal,
  ): Promise<SessionClient | undefined> {
    await this.#residents.get(key)?.departure;
    const place = await this.#parts.places.acquire({ signal: unawaited });
    try {
      const arriving = await find();
      if (arriving === undefined) {
        place.release();
        return undefined;
      }
      const { row, spare } = arriving;
      // A new session has no events; whatever fails from here on would leave a prepared process unowned.
      const lastNumber = spare === undefined ? await this.#parts.store.lastEventNumber(row.id) : 0;
      const client = this.#parts.makeClient(row, lastNumber, spare);
      this.#residents.set(key, { client, place, departure: undefined });
      return client;
    } catch (error) {
      place.release();
      throw error;
    }
  }

  async #claim(id: string): Promise<Arriving> {
    return { row: await this.#parts.store.claimSession(id, this.#parts.owner) };
  }

  async #create(request: NewSessionRequest): Promise<Arriving> {
    // A history has to be in the transcript before the process starts.
    const spare = request.history.length === 0 ? this.#parts.takeSpare(request.options) : undefined;
    if (spare === undefined) return { row: await this.#createCold(request) };
    try {
      const { sessionId, agentSessionId, workspace } = spare;
      return {
        row: await this.#insert(request, { id: sessionId, agentSessionId, workspace }),
        spare,
      };
    } catch (error) {
      await this.#parts.discardSpare(spare);
      throw error;
    }
  }

  async #createCold(request: NewSessionRequest): Promise<SessionRow> {
    const { store, host, driver } = this.#parts;
    const id = newSessionId();
    const agentSessionId = newAgentSessionId();
    const workspace = await host.createWorkspace(id);
    try {
      if (request.history.length > 0)
        await driver.seedTranscript(agentSessionId, request.history, store.transcripts);
      return await this.#insert(request, { id, agentSessionId, workspace });
    } catch (error) {
      await host.removeWorkspace(workspace);
      throw error;
    }
  }

  #insert(
    { tenant, name, kind, options, limits }: NewSessionRequest,
    ids: Pick<SessionRow, 'id' | 'agentSessionId' | 'workspace'>,
  ): Promise<SessionRow> {
    const { store, owner } = this.#parts;
    const createdAt = wallClockIso();
    return store.createSession({ ...ids, tenant, name, kind, options, limits, owner, createdAt });
  }
}

function keyOf(tenant: string, name: string): string {
  return `${tenant}\u0000${name}`;
}

/** Those who wait for it are told. */
function ignoreOthers(): void {}
