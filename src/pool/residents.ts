import { newAgentSessionId, newSessionId } from '../events/ids.ts';
import { NameMap } from './name-map.ts';
import type { Places } from './places.ts';
import type { SessionQuota } from './session-quota.ts';
import type { Announce } from './session-request.ts';
import type { Slot } from './slots.ts';
import type { Spare, SpareWish } from './spares.ts';
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
  /** The folder it works in, of those that its tenant may name. Undefined: one is made for it. */
  readonly workspace: string | undefined;
}

/** What a session is made of whose name is its id. */
export interface IdentifiedSessionRequest extends Pick<
  NewSessionRequest,
  'tenant' | 'options' | 'limits' | 'workspace'
> {
  /** Whether a process that was prepared for anybody may serve it: not where its processes get something of their own. */
  readonly mayTakeSpare: boolean;
  /** Called before anything but the folder is there under the id. */
  readonly announce: Announce;
}

export interface ResidentsParts {
  readonly store: SessionStore;
  readonly host: Host;
  readonly driver: AgentDriver;
  readonly places: Places;
  readonly quota: SessionQuota;
  /** This host's name, as the owner of its sessions. */
  readonly owner: string;
  /** A process, with ids, that is ready for a new session of these options, in this folder or in its own. */
  readonly takeSpare: (wish: SpareWish, workspace?: string) => Promise<Spare | undefined>;
  readonly discardSpare: (spare: Spare) => Promise<void>;
  /** Puts in order what an earlier host left of a session; rejects when that is not possible. */
  readonly mend: (sessionId: string) => Promise<void>;
  readonly makeClient: (row: SessionRow, lastNumber: number, spare?: Spare) => SessionClient;
  /** A session has come into memory. `answered`: whoever made it has been told, or will be, that it is there. */
  readonly arrived: (client: SessionClient, answered: boolean) => void;
  /** A session has come into memory, and everybody who waited for it had left. */
  readonly onUnawaited: (client: SessionClient) => void;
}

type UnnamedSessionRequest = Omit<NewSessionRequest, 'name'>;

/** The name of a new session, once its id is minted and its folder is made, if it has one of its own. */
type NameFor = (id: string, ownWorkspace: string | undefined) => Promise<string>;

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
  readonly #residents = new NameMap<Resident>();
  readonly #arrivals = new NameMap<Arrival>();
  /** Sessions that are being made under their ids: nobody can ask for them yet. */
  readonly #creations = new Set<Promise<unknown>>();

  constructor(parts: ResidentsParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#residents.size;
  }

  get(tenant: string, name: string): SessionClient | undefined {
    const resident = this.#residents.get(tenant, name);
    return resident?.departure === undefined ? resident?.client : undefined;
  }

  /** Whether it is in memory, and not leaving. */
  has(client: SessionClient): boolean {
    return this.get(client.tenant, client.name) === client;
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
    if (this.get(tenant, name) === undefined && this.#arrivals.get(tenant, name) === undefined) {
      // Unknown sessions must not wait for a place.
      if ((await this.#parts.store.findSession(tenant, name)) === undefined) return undefined;
    }
    return this.#join(tenant, name, signal, async () => {
      const row = await this.#parts.store.findSession(tenant, name);
      return row && this.#claim(row.id);
    });
  }

  /** The session, brought into memory or made. */
  async findOrCreate(request: NewSessionRequest, signal?: AbortSignal): Promise<SessionClient> {
    const { tenant, name } = request;
    const { quota, store } = this.#parts;
    // Whoever may have no more must not push another one out of memory to be told so.
    const refusal = request.kind === 'named' ? await quota.refusal(tenant) : undefined;
    if (refusal !== undefined && (await store.findSession(tenant, name)) === undefined)
      throw refusal;
    for (;;) {
      const client = await this.#join(tenant, name, signal, async () => {
        const row = await this.#parts.store.findSession(tenant, name);
        return row === undefined ? this.#create(request) : this.#claim(row.id);
      });
      // An arrival that was joined may have been looking for a session that is being deleted.
      if (client !== undefined) return client;
    }
  }

  /**
   * Makes a session whose name is its id, and waits for nobody: it takes a prepared process and a place in memory if both are
   * there, and else stands in the store until somebody needs it. Rejects with `session_limit_reached`,
   * `storage_failed`, or as `announce` does; then nothing is left here.
   */
  createIdentified(request: IdentifiedSessionRequest): Promise<SessionRow> {
    const creation = this.#createIdentified(request).finally(() =>
      this.#creations.delete(creation),
    );
    this.#creations.add(creation);
    return creation;
  }

  /**
   * Takes a session out of memory. From now on nobody is given it, and whoever asks for it again waits until `work`, which
   * ends its process, is done. A second call joins the first.
   */
  depart(client: SessionClient, work: () => Promise<void>): Promise<void> {
    const { tenant, name } = client;
    const resident = this.#residents.get(tenant, name);
    if (resident?.client !== client) return Promise.resolve();
    if (resident.departure === undefined) {
      // It is leaving before `work` changes anything of it: no change may offer it for its place again.
      const left = Promise.withResolvers<void>();
      resident.departure = left.promise;
      this.#parts.places.withdraw(client);
      left.resolve(
        work().finally(() => {
          this.#residents.delete(tenant, name);
          resident.place.release();
        }),
      );
    }
    return resident.departure;
  }

  /** Settles when those who are on their way have come, or turned out not to. */
  async arrived(): Promise<void> {
    await Promise.allSettled([
      ...[...this.#arrivals.values()].map(({ done }) => done),
      ...this.#creations,
    ]);
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
    await this.#residents.get(tenant, name)?.departure;
    await this.#arrivals.get(tenant, name)?.done.catch(ignoreOthers);
    if (this.#residents.get(tenant, name) !== undefined) return undefined;
    if (this.#arrivals.get(tenant, name) !== undefined) return undefined;
    let result = false;
    await this.#arrival(tenant, name, async () => {
      const row = await this.#parts.store.findSession(tenant, name);
      if (row !== undefined) result = await work(row);
      return undefined;
    }).done;
    return result;
  }

  async #join(
    tenant: string,
    name: string,
    signal: AbortSignal | undefined,
    find: () => Promise<Arriving | undefined>,
  ): Promise<SessionClient | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      // It may have come into memory while the caller looked elsewhere; a second client of one session must never be.
      const resident = this.get(tenant, name);
      if (resident !== undefined) return resident;
      const arrival =
        this.#arrivals.get(tenant, name) ??
        this.#arrival(tenant, name, (unawaited) => this.#arrive(tenant, name, find, unawaited));
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
    tenant: string,
    name: string,
    work: (unawaited: AbortSignal) => Promise<SessionClient | undefined>,
  ): Arrival {
    const abort = new AbortController();
    const done = work(abort.signal).finally(() => this.#arrivals.delete(tenant, name));
    const arrival = { done, abort, waiters: 0 };
    this.#arrivals.set(tenant, name, arrival);
    return arrival;
  }

  /** Nobody waits any more. What is beyond the wait for a place comes to its end all the same. */
  #giveUp({ abort, done }: Arrival): void {
    abort.abort(new RoundhouseError('turn_cancelled', 'Nobody waits for the session any more.'));
    void done.then((client) => client && this.#parts.onUnawaited(client), ignoreOthers);
  }

  async #arrive(
    tenant: string,
    name: string,
    find: () => Promise<Arriving | undefined>,
    unawaited: AbortSignal,
  ): Promise<SessionClient | undefined> {
    await this.#residents.get(tenant, name)?.departure;
    const place = await this.#parts.places.acquire(unawaited);
    try {
      const arriving = await find();
      if (arriving === undefined) {
        place.release();
        return undefined;
      }
      const { row, spare } = arriving;
      // A new session has no events; whatever fails from here on would leave a prepared process unowned.
      const lastNumber = spare === undefined ? await this.#parts.store.lastEventNumber(row.id) : 0;
      return this.#moveIn(place, this.#parts.makeClient(row, lastNumber, spare), false);
    } catch (error) {
      place.release();
      throw error;
    }
  }

  #moveIn(place: Slot, client: SessionClient, answered: boolean): SessionClient {
    this.#residents.set(client.tenant, client.name, { client, place, departure: undefined });
    this.#parts.arrived(client, answered);
    return client;
  }

  async #createIdentified({
    announce,
    mayTakeSpare,
    ...request
  }: IdentifiedSessionRequest): Promise<SessionRow> {
    const { makeClient, places, quota } = this.#parts;
    const takeBack = await quota.admit(request.tenant);
    // Nobody leaves memory for a session that nobody has used yet.
    let place = mayTakeSpare ? places.tryAcquire() : undefined;
    try {
      const { row, spare } = await this.#createUnlimited(
        { ...request, kind: 'named', history: [] },
        async (id, ownWorkspace) => {
          await announce(id, ownWorkspace);
          return id;
        },
        place !== undefined,
      );
      if (place !== undefined && spare !== undefined) {
        this.#moveIn(place, makeClient(row, 0, spare), true);
        place = undefined;
      }
      return row;
    } catch (error) {
      takeBack();
      throw error;
    } finally {
      place?.release();
    }
  }

  async #claim(id: string): Promise<Arriving> {
    await this.#parts.mend(id);
    return { row: await this.#parts.store.claimSession(id, this.#parts.owner) };
  }

  async #create(request: NewSessionRequest): Promise<Arriving> {
    const nameFor = async (): Promise<string> => request.name;
    if (request.kind !== 'named') return this.#createUnlimited(request, nameFor);
    const takeBack = await this.#parts.quota.admit(request.tenant);
    try {
      return await this.#createUnlimited(request, nameFor);
    } catch (error) {
      takeBack();
      throw error;
    }
  }

  async #createUnlimited(
    request: UnnamedSessionRequest,
    nameFor: NameFor,
    mayTakeSpare = true,
  ): Promise<Arriving> {
    const { history, workspace: named } = request;
    // A history has to be in the transcript before the process starts.
    const spare =
      mayTakeSpare && history.length === 0
        ? await this.#parts.takeSpare(request, named)
        : undefined;
    const workspace = named ?? spare?.workspace;
    if (spare === undefined || workspace === undefined)
      return { row: await this.#createCold(request, nameFor) };
    try {
      const { sessionId: id, agentSessionId } = spare;
      const ids = { id, agentSessionId, workspace };
      return { row: await this.#insert(request, ids, nameFor), spare };
    } catch (error) {
      await this.#parts.discardSpare(spare);
      throw error;
    }
  }

  async #createCold(request: UnnamedSessionRequest, nameFor: NameFor): Promise<SessionRow> {
    const { store, host, driver } = this.#parts;
    const id = newSessionId();
    const agentSessionId = newAgentSessionId();
    const workspace = request.workspace ?? (await host.createWorkspace(id));
    try {
      if (request.history.length > 0)
        await driver.seedTranscript(agentSessionId, request.history, store.transcripts);
      return await this.#insert(request, { id, agentSessionId, workspace }, nameFor);
    } catch (error) {
      if (request.workspace === undefined) await host.removeWorkspace(workspace);
      throw error;
    }
  }

  async #insert(
    { tenant, kind, options, limits, workspace: named }: UnnamedSessionRequest,
    ids: Pick<SessionRow, 'id' | 'agentSessionId' | 'workspace'>,
    nameFor: NameFor,
  ): Promise<SessionRow> {
    const { store, owner } = this.#parts;
    const ownsWorkspace = named === undefined;
    const name = await nameFor(ids.id, ownsWorkspace ? ids.workspace : undefined);
    const createdAt = wallClockIso();
    return store.createSession({
      ...ids,
      ownsWorkspace,
      tenant,
      name,
      kind,
      options,
      limits,
      owner,
      createdAt,
    });
  }
}

/** Those who wait for it are told. */
function ignoreOthers(): void {}
