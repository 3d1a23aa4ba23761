/** Settings by name. */
export type Tree = Record<string, unknown>;

/** Whether a value is an object that is no list. */
export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path; undefined where there is none. */
export function getIn(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      return undefined;
    value = Reflect.get(value, name);
  }
  return value;
}

/** Puts a value at a path, making the groups on the way. */
export function setIn(tree: Tree, [name = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const child = tree[name];
  // A group that the file has as something else is a mistake of the file, and stays one.
  if (child !== undefined && !isTree(child)) return;
  const group = child ?? {};
  tree[name] = group;
  setIn(group, rest, value);
}
