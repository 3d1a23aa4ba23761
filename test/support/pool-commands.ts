import * as fc from 'fast-check';
import { settle } from './fake-clock.ts';
import { KINDS, type World } from './pool-world.ts';

type Act = (world: World) => void | Promise<void>;

/** One thing that happens to the pool; its text is what a shrunk case shows. */
class Step implements fc.AsyncCommand<object, World> {
  readonly #text: string;
  readonly #act: Act;

  constructor(shown: string, act: Act) {
    this.#text = shown;
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  async run(_model: object, world: World): Promise<void> {
    await this.#act(world);
    await settle();
  }

  toString(): string {
    return this.#text;
  }
}

const session = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');

function prompt(kinds: readonly (typeof KINDS)[number][]) {
  return fc
    .tuple(session, fc.constantFrom(...kinds))
    .map(([name, kind]) => new Step(`prompt(${name}, ${kind})`, (w) => w.prompt(name, kind)));
}

function advance(...times: number[]) {
  return fc
    .constantFrom(...times)
    .map((ms) => new Step(`advance(${ms})`, (world) => world.advance(ms)));
}

const ask = fc
  .tuple(session, fc.integer({ min: 1, max: 3 }), fc.constantFrom(undefined, 0, 100, 1_000))
  .map(
    ([name, callers, leave]) =>
      new Step(`get(${name}, ${callers} callers, leave ${leave})`, (world) =>
        world.get(name, callers, leave),
      ),
  );
const interrupt = session.map(
  (name) => new Step(`interrupt(${name})`, (world) => world.interrupt(name)),
);
const cancel = fc
  .tuple(session, fc.constantFrom('echo', 'slow', 'tool'), fc.constantFrom(0, 1, 100, 1_000, 5_000))
  .map(
    ([name, kind, ms]) =>
      new Step(`prompt(${name}, ${kind}, cancelled after ${ms})`, (w) => w.prompt(name, kind, ms)),
  );
const evict = fc
  .constantFrom(1_100, 3_100)
  .map((ms) => new Step(`evict(${ms})`, (world) => world.evict(ms)));
const expire = fc.constant(new Step('expire()', (world) => world.expire()));
const jump = fc
  .constantFrom(-7_200_000, -60_000, 60_000, 7_200_000)
  .map((ms) => new Step(`jumpClock(${ms})`, (world) => world.jumpClock(ms)));
const remove = session.map((name) => new Step(`delete(${name})`, (world) => world.delete(name)));
const change = fc
  .tuple(session, fc.integer({ min: 0, max: 2 }))
  .map(([name, tools]) => new Step(`change(${name}, ${tools})`, (w) => w.change(name, tools)));
const kill = fc.nat(5).map((place) => new Step(`kill(${place})`, (world) => world.kill(place)));
const failStore = fc
  .integer({ min: 1, max: 2 })
  .map((times) => new Step(`failStore(${times})`, (world) => world.failStore(times)));
const join = fc
  .tuple(session, fc.nat(4))
  .map(([name, after]) => new Step(`join(${name}, ${after})`, (w) => w.join(name, after)));
const leave = fc.constant(new Step('leave()', (world) => world.leave()));
const crash = fc
  .constantFrom(0, 0, 1, 3)
  .map((failing) => new Step(`crash(${failing})`, (world) => world.crash(failing)));
const drain = fc
  .constantFrom(0, 2_000)
  .map((ms) => new Step(`drain(${ms})`, (world) => world.drain(ms)));

/** Everything that can happen; what stands more than once happens more often. */
export const COMMANDS: fc.Arbitrary<fc.AsyncCommand<object, World>>[] = [
  ...repeat(6, prompt(['echo', 'slow'])),
  ...repeat(3, prompt(KINDS)),
  ...repeat(3, advance(1, 100, 200, 300)),
  ...repeat(3, advance(1_000, 3_000)),
  advance(10_000),
  advance(45_000),
  ...repeat(2, ask),
  ...repeat(2, interrupt),
  ...repeat(2, cancel),
  ...repeat(2, join),
  remove,
  change,
  kill,
  failStore,
  leave,
  crash,
  drain,
  evict,
  expire,
  jump,
];

function repeat<T>(times: number, item: T): T[] {
  return Array.from({ length: times }, () => item);
}
