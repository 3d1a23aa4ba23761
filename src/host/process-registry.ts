import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import type { ProcessRecord } from '../contracts/host.ts';
import type { Logger } from '../telemetry/telemetry.ts';
import { RoundhouseError, errorText } from '../errors.ts';
import { isOwnName } from './folders.ts';

const SUFFIX = '.json';
const TEMPORARY_SUFFIX = '.json.tmp';

const recordSchema = z.object({
  pid: z.number().int().min(2),
  clientId: z.string(),
  sessionId: z.string(),
  startedAt: z.string().min(1),
  folder: z.string(),
}) satisfies z.ZodType<ProcessRecord>;

/**
 * The records of started processes: one file each, `<clientId>.json`, so that a host that was killed leaves word to the
 * next one. A file is there whole or not at all.
 */
export class ProcessRegistry {
  readonly #folder: string;
  readonly #log: Logger;

  constructor(folder: string, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Writes the record of a process. `storage_failed`. */
  async write(record: ProcessRecord): Promise<void> {
    const path = this.#path(record.clientId, SUFFIX);
    const temporary = this.#path(record.clientId, TEMPORARY_SUFFIX);
    try {
      await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
      await rename(temporary, path);
    } catch (error) {
      throw new RoundhouseError('storage_failed', `The record ${path} could not be written.`, {
        cause: error,
      });
    }
  }

  /** Takes the record of a client id away, and the beginnings of one. Harmless when there is none. */
  async remove(clientId: string): Promise<void> {
    await rm(this.#path(clientId, SUFFIX), { force: true });
    await rm(this.#path(clientId, TEMPORARY_SUFFIX), { force: true });
  }

  /** Every client id with a record; the record is undefined where the file can't be understood. */
  async readAll(): Promise<Map<string, ProcessRecord | undefined>> {
    const records = new Map<string, ProcessRecord | undefined>();
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      const clientId = clientIdOf(entry.name);
      if (clientId === undefined || !entry.isFile()) continue;
      if (entry.name.endsWith(SUFFIX)) records.set(clientId, await this.#read(clientId));
      // A half-written record: its process was never given a prompt, but it may live.
      else if (!records.has(clientId)) records.set(clientId, undefined);
    }
    return records;
  }

  async #read(clientId: string): Promise<ProcessRecord | undefined> {
    const path = this.#path(clientId, SUFFIX);
    try {
      const record = recordSchema.parse(JSON.parse(await readFile(path, 'utf8')));
      if (record.clientId === clientId) return record;
      throw new Error(`it names another client id, ${record.clientId}`);
    } catch (error) {
      this.#log.warn('host_record_unreadable', { file: path, error: errorText(error) });
      return undefined;
    }
  }

  #path(clientId: string, suffix: string): string {
    if (!isOwnName(clientId)) {
      throw new RoundhouseError('internal', `${JSON.stringify(clientId)} is no client id.`);
    }
    return join(this.#folder, `${clientId}${suffix}`);
  }
}

function clientIdOf(fileName: string): string | undefined {
  const suffix = [TEMPORARY_SUFFIX, SUFFIX].find((end) => fileName.endsWith(end));
  const clientId = suffix === undefined ? '' : fileName.slice(0, -suffix.length);
  return isOwnName(clientId) ? clientId : undefined;
}
