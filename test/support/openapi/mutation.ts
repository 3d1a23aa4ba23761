import * as fc from 'fast-check';

/** One change of a value of JSON, at a place that is told by a number: any number falls on one of the places there are. */
export interface Mutation {
  readonly place: number;
  readonly how: 'replace' | 'remove' | 'add';
  readonly value: unknown;
}

/** What is wrong in most places. */
const ODD: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  '',
  ' ',
  'nonsense',
  'text with \u0000',
  'half a pair: \ud800',
  'x'.repeat(5_000),
  'x'.repeat(120_000),
  [],
  [[]],
  [null],
  {},
  { type: 'nonsense' },
  { type: null },
  Array.from({ length: 300 }, () => ({})),
];

/** Field names to be added. */
const ODD_NAME = 'unexpected';

export function mutation(): fc.Arbitrary<Mutation> {
  return fc.record({
    place: fc.nat({ max: 200 }),
    how: fc.constantFrom('replace', 'replace', 'remove', 'add'),
    value: fc.constantFrom(...ODD),
  });
}

/** The value with the change made, and what it was. */
export function mutated(value: unknown, { place, how, value: odd }: Mutation) {
  const copy: { root: unknown } = { root: structuredClone(value) };
  const places = placesIn(copy, []);
  const chosen = places[place % places.length];
  if (chosen === undefined) return { body: value, wrong: 'nothing' };
  const { holder, key, path } = chosen;
  const at = path.slice(1).join('.') || 'the body';
  const current: unknown = Reflect.get(holder, key);
  if (how === 'remove' && holder !== copy) {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else Reflect.deleteProperty(holder, key);
    return { body: copy.root, wrong: `without ${at}` };
  }
  if (how === 'add' && typeof current === 'object' && current !== null) {
    if (Array.isArray(current)) current.push(odd);
    else Object.assign(current, { [ODD_NAME]: odd });
    return { body: copy.root, wrong: `more in ${at}` };
  }
  Reflect.set(holder, key, odd);
  return { body: copy.root, wrong: `another value of ${at}` };
}

interface Place {
  readonly holder: object;
  readonly key: string;
  readonly path: readonly string[];
}

function placesIn(holder: object, path: readonly string[]): Place[] {
  return Object.entries(holder).flatMap(([key, value]): Place[] => [
    { holder, key, path: [...path, key] },
    ...(typeof value === 'object' && value !== null ? placesIn(value, [...path, key]) : []),
  ]);
}
