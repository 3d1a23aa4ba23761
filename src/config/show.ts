import type { Config } from './schema.ts';
import type { Origin } from './origin.ts';
import { MASK, isSecretName } from '../telemetry/secret-names.ts';
import { SETTINGS } from './settings.ts';
import { getIn } from './tree.ts';

/** One line of the shown configuration. */
export interface ShownSetting {
  readonly path: string;
  /** Undefined where nothing is set and the default depends on the machine. Secrets are masked. */
  readonly value: unknown;
  readonly origin: Origin;
}

/** The effective configuration in the order of the schema, for people to see: no secret is in it. */
export function showConfig(config: Config, origins: ReadonlyMap<string, Origin>): ShownSetting[] {
  return SETTINGS.map(({ path }) => ({
    path,
    value: masked(getIn(config, path.split('.'))),
    origin: origins.get(path) ?? { source: 'default', name: 'default' },
  }));
}

/** A key's hash is no key, but who has it can try keys against it at leisure. */
function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      name === 'hash' || isSecretName(name) ? MASK : masked(item),
    ]),
  );
}
