import type { Dirent } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';

import type { TranscriptEntry, TranscriptStore } from '../../contracts/transcripts.ts';
import { errorText, RoundhouseError } from '../../errors.ts';
import { PROJECT_FOLDER, processFolders } from './environment.ts';
import { addEntries } from './transcript-merge.ts';
import {
  agentMetadataContent,
  agentMetadataEntry,
  isAgentMetadata,
  isDeferredCall,
  relinked,
} from './transcript.ts';
import { isRecord } from './unknown.ts';

/**
 * The transcript as files of one process: `<config>/projects/<folder>/<id>.jsonl`, and below `<id>/` one file per subagent,
 * each with a side file. They are a cache of the store: written before a resume, read back when the mirror has failed.
 */

const TRANSCRIPT = '.jsonl';
const METADATA = '.meta.json';
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/**
 * Writes what the store has, so that the process can resume, and `more` behind it. Returns the number of entries of the main
 * transcript.
 */
export async function writeLocalTranscript(
  processFolder: string,
  agentSessionId: string,
  transcripts: TranscriptStore,
  more: readonly TranscriptEntry[] = [],
): Promise<number> {
  const stored = await transcripts.load({ agentSessionId, subpath: '' });
  const main = stored.filter((entry) => !isDeferredCall(entry));
  if (main.length === 0) return 0;
  const base = transcriptBase(processFolder, agentSessionId);
  await writeEntries(base, [...main, ...more]);
  for (const subpath of await transcripts.listSubpaths(agentSessionId)) {
    if (subpath === '') continue;
    const entries = await transcripts.load({ agentSessionId, subpath });
    const file = join(base, subpath);
    if (relative(base, file).startsWith('..')) {
      throw new RoundhouseError(
        'storage_failed',
        `A transcript has a subpath that leaves its folder: ${subpath}.`,
      );
    }
    await writeEntries(
      file,
      entries.filter((entry) => !isAgentMetadata(entry)),
    );
    const metadata = entries.findLast(isAgentMetadata);
    if (metadata !== undefined) {
      await writeFile(`${file}${METADATA}`, JSON.stringify(agentMetadataContent(metadata)), {
        mode: FILE_MODE,
      });
    }
  }
  return main.length;
}

/** What a process has written, by subpath (`''` is the main transcript). A last line that was cut off is left out. */
export async function readLocalTranscript(
  processFolder: string,
  agentSessionId: string,
): Promise<Map<string, TranscriptEntry[]>> {
  const base = transcriptBase(processFolder, agentSessionId);
  const found = new Map<string, TranscriptEntry[]>();
  const main = await readEntries(`${base}${TRANSCRIPT}`);
  if (main.length > 0) found.set('', main);
  for (const file of await filesBelow(base)) {
    if (!file.endsWith(TRANSCRIPT)) continue;
    const stem = file.slice(0, -TRANSCRIPT.length);
    const entries = await readEntries(file);
    const metadata = await readJson(`${stem}${METADATA}`);
    if (metadata !== undefined) entries.push(agentMetadataEntry(metadata));
    found.set(relative(base, stem).split(sep).join('/'), entries);
  }
  return found;
}

/**
 * Adds what a process had written and not handed on to what the store has, each entry at its place; returns how many. The
 * process must be gone. Never takes anything away, and may be repeated.
 */
export async function importLocalTranscript(
  processFolder: string,
  agentSessionId: string,
  transcripts: TranscriptStore,
): Promise<number> {
  let added = 0;
  for (const [subpath, entries] of await readLocalTranscript(processFolder, agentSessionId)) {
    const own = entries.filter((entry) => !isDeferredCall(entry));
    added += await addEntries(transcripts, { agentSessionId, subpath }, () => own);
  }
  return added;
}

function transcriptBase(processFolder: string, agentSessionId: string): string {
  return join(processFolders(processFolder).config, 'projects', PROJECT_FOLDER, agentSessionId);
}

async function writeEntries(stem: string, entries: readonly TranscriptEntry[]): Promise<void> {
  await mkdir(dirname(stem), { recursive: true, mode: FOLDER_MODE });
  const lines = relinked(entries).map((entry) => `${JSON.stringify(entry)}\n`);
  await writeFile(`${stem}${TRANSCRIPT}`, lines, { mode: FILE_MODE });
}

async function readEntries(file: string): Promise<TranscriptEntry[]> {
  const text = await readText(file);
  return text === undefined ? [] : text.split('\n').flatMap(parseEntry);
}

function parseEntry(line: string): TranscriptEntry[] {
  if (line === '') return [];
  try {
    const entry: unknown = JSON.parse(line);
    return isEntry(entry) ? [entry] : [];
  } catch {
    // Cut off by a kill in the middle of a write.
    return [];
  }
}

function isEntry(value: unknown): value is TranscriptEntry {
  return isRecord(value) && typeof value['type'] === 'string';
}

async function readJson(file: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(file, error);
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(folder, error);
  }
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function isMissing(error: unknown): boolean {
  return isRecord(error) && error['code'] === 'ENOENT';
}

function unreadable(path: string, error: unknown): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    `The transcript at ${path} could not be read: ${errorText(error)}.`,
    { cause: error },
  );
}
