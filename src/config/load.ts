import { homedir } from 'node:os';
import { resolve } from 'node:path';

import type { Config } from './schema.ts';
import type { Origin } from './origin.ts';
import type { Setting } from './settings.ts';
import type { Tree } from './tree.ts';
import type { YamlSource } from './yaml-source.ts';
import { PROCESS_MARK } from '../contracts/host.ts';
import { RoundhouseError, errorText } from '../errors.ts';
import { configSchema } from './schema.ts';
import { defaultDataDir } from './data-dir.ts';
import { describeIssues } from './issues.ts';
import { didYouMean } from './nearest.ts';
import { CLIENT_KEY_ENV, CLIENT_URL_ENV, CONFIG_FILE_ENV } from './environment-names.ts';
import { ENV_PREFIX, SETTINGS } from './settings.ts';
import { getIn, isTree, setIn } from './tree.ts';
import { readYaml } from './yaml-source.ts';
import { valueOfText } from './text-values.ts';

/** What the configuration is loaded from. */
export interface ConfigSources {
  /** Values of flags by {@link Setting.flag}, without dashes; `config` names the file. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads the configuration file. */
  readonly readFile: (path: string) => string;
  /** What relative paths are relative to. Default: the process's own. */
  readonly cwd?: string;
  /** Default: the user's own. */
  readonly home?: string;
}

/** The configuration and the origin of each setting, by {@link Setting.path}. */
export interface LoadedConfig {
  readonly config: Config;
  readonly origins: ReadonlyMap<string, Origin>;
}

/**
 * Loads the configuration: a flag beats the environment, that beats the file, that beats the default. Only a file that
 * `--config` or `ROUNDHOUSE_CONFIG` names is read: what a server does should not depend on the folder it is started in.
 * Throws `configuration_invalid` with every mistake at once, one a line: where, what was expected, what was got.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const mistakes: string[] = [];
  const file = readFile(sources, mistakes);
  const origins = new Map<string, Origin>();
  const merged: Tree = isTree(file?.data) ? structuredClone(file.data) : {};
  if (file !== undefined && !isTree(file.data)) {
    mistakes.push(`${file.where([])}: expected settings by name, got ${JSON.stringify(file.data)}`);
  }
  refuseUnknownVariables(sources.env, mistakes);

  for (const setting of SETTINGS) {
    const given = fromText(setting, sources);
    if (given !== undefined) setIn(merged, setting.path.split('.'), given.value);
    const inFile = file !== undefined && getIn(file.data, setting.path.split('.')) !== undefined;
    origins.set(
      setting.path,
      given?.origin ??
        (inFile
          ? { source: 'file', name: file.where(setting.path.split('.')) }
          : { source: 'default', name: 'default' }),
    );
  }

  const parsed = configSchema.safeParse(merged);
  if (!parsed.success) {
    mistakes.push(...describeIssues(parsed.error.issues, { origins, file, merged }));
  }
  if (!parsed.success || mistakes.length > 0) throw invalid(mistakes);
  return { config: complete(parsed.data, sources), origins };
}

function complete(
  data: Config | (Omit<Config, 'dataDir'> & { dataDir?: string | undefined }),
  sources: ConfigSources,
): Config {
  const cwd = sources.cwd ?? process.cwd();
  const dataDir = data.dataDir ?? defaultDataDir(sources.env, sources.home ?? homedir());
  const { executable } = data.agent;
  const agent =
    executable === undefined ? data.agent : { ...data.agent, executable: resolve(cwd, executable) };
  return { ...data, agent, dataDir: resolve(cwd, dataDir) };
}

function invalid(mistakes: readonly string[]): RoundhouseError {
  const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
  const lines = mistakes.map((mistake) => `  ${mistake}`).join('\n');
  return new RoundhouseError('configuration_invalid', `The configuration has ${count}:\n${lines}`, {
    fields: { mistakes },
  });
}

function readFile(sources: ConfigSources, mistakes: string[]): YamlSource | undefined {
  const [from, name] =
    sources.flags['config'] === undefined
      ? [CONFIG_FILE_ENV, sources.env[CONFIG_FILE_ENV]]
      : ['--config', sources.flags['config']];
  if (name === undefined || name === '') return undefined;
  try {
    const path = resolve(sources.cwd ?? process.cwd(), name);
    const file = readYaml(sources.readFile(path), name);
    mistakes.push(...file.mistakes);
    return file;
  } catch (error) {
    mistakes.push(`${from}: expected a readable file, got ${name} (${errorText(error)})`);
    return undefined;
  }
}

function fromText(
  setting: Setting,
  { flags, env }: ConfigSources,
): { value: unknown; origin: Origin } | undefined {
  const flag = flags[setting.flag];
  if (flag !== undefined) {
    return {
      value: valueOfText(setting, flag),
      origin: { source: 'flag', name: `--${setting.flag}` },
    };
  }
  const variable = env[setting.env];
  // Compose files and unit files often set what they leave empty.
  if (variable === undefined || variable === '') return undefined;
  return {
    value: valueOfText(setting, variable),
    origin: { source: 'environment', name: setting.env },
  };
}

function refuseUnknownVariables(env: ConfigSources['env'], mistakes: string[]): void {
  // A server that an agent of another server started carries that one's mark.
  const known = new Set([
    CONFIG_FILE_ENV,
    CLIENT_KEY_ENV,
    CLIENT_URL_ENV,
    PROCESS_MARK,
    ...SETTINGS.map((setting) => setting.env),
  ]);
  for (const name of Object.keys(env)) {
    if (!name.startsWith(ENV_PREFIX) || known.has(name)) continue;
    mistakes.push(`${name}: no such setting${didYouMean(name, known)}`);
  }
}
