import type { FileDefinition } from '../definitions/file.ts';
import { asRoundhouseError, RoundhouseError } from '../errors.ts';
import { namesFile, type PromptContent } from '../events/record.ts';
import type { SessionInput } from '../session/session-input.ts';
import type { Files } from './files.ts';

type Block = PromptContent[number];
type Kind = 'image' | 'document';

/** What the model takes in a block, by the type that a file was uploaded with. */
const TYPES: Readonly<Record<Kind, readonly string[]>> = {
  image: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
  document: ['application/pdf', 'text/plain'],
};
const TEXT = 'text/plain';

/** A block that names a file, by its place in the request. */
interface NamedFile {
  readonly path: string;
  readonly kind: Kind;
  readonly id: string;
}

/** A file as the model gets it: base64, or its text. */
interface ReadFile extends Pick<FileDefinition, 'mimeType'> {
  readonly data: string;
}

export interface PromptFilesParts {
  readonly files: Pick<Files, 'get' | 'read'>;
  /** Of the files of one request together, as the model gets them: base64, or text. Each counts as often as it is named. */
  readonly maxBytes: number;
}

/** Which list of a request the prompts stand in. */
export type PromptsField = 'events' | 'initial_events';

/** Whether any block of the inputs' prompts names a file. */
export function namesFiles(inputs: readonly SessionInput[]): boolean {
  return !namedFiles('events', inputs).next().done;
}

/**
 * Reads the files that prompts name by id. It is done when a request is taken, so that what is acknowledged lacks nothing
 * when a file is deleted or expires before its turn.
 */
export class PromptFiles {
  readonly #parts: PromptFilesParts;

  constructor(parts: PromptFilesParts) {
    this.#parts = parts;
  }

  /**
   * The inputs, in their places in that list, with what the agent is given for those that name files. Rejects, naming the
   * field, with `not_found` or `file_expired` for a file that the tenant can't use, `invalid_request` for one that is not
   * what its block takes, and `payload_too_large`; with `storage_failed` too.
   */
  async complete(
    tenant: string,
    field: PromptsField,
    inputs: readonly SessionInput[],
  ): Promise<SessionInput[]> {
    const found = await this.#find(tenant, [...namedFiles(field, inputs)]);
    const read = new Map<string, ReadFile>();
    // One after the other: what is being read is in memory twice.
    for (const [id, file] of found) read.set(id, await this.#read(tenant, file));
    return inputs.map((input) =>
      input.kind === 'prompt' && input.content.some(namesFile)
        ? { ...input, given: input.content.map((block) => withFile(block, read)) }
        : input,
    );
  }

  /** By their ids, in order. Looks at all before a byte is read: most of what is wrong shows in what is told of a file. */
  async #find(
    tenant: string,
    named: readonly NamedFile[],
  ): Promise<Map<string, NamedFile & FileDefinition>> {
    const { files, maxBytes } = this.#parts;
    const found = new Map<string, NamedFile & FileDefinition>();
    let bytes = 0;
    for (const each of named) {
      const { path, kind, id } = each;
      const file = found.get(id) ?? { ...each, ...(await at(path, files.get(tenant, id))).body };
      found.set(id, file);
      checkForm(path, kind, file);
      bytes += file.mimeType === TEXT ? file.sizeBytes : base64Bytes(file.sizeBytes);
      if (bytes <= maxBytes) continue;
      throw new RoundhouseError(
        'payload_too_large',
        `${path}: expected at most ${maxBytes} bytes (server.maxBodyBytes) in all files of a request, as base64 where they are no text; with this one they have ${bytes}. Send fewer or smaller ones.`,
      );
    }
    return found;
  }

  async #read(
    tenant: string,
    { path, id, mimeType, sizeBytes }: NamedFile & FileDefinition,
  ): Promise<ReadFile> {
    const { bytes } = await at(path, this.#parts.files.read(tenant, id, sizeBytes));
    if (mimeType === TEXT) return { mimeType, data: textOf(path, bytes) };
    const { buffer, byteOffset, byteLength } = bytes;
    return { mimeType, data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
  }
}

function* namedFiles(
  field: PromptsField,
  inputs: readonly SessionInput[],
): Generator<NamedFile, undefined> {
  for (const [index, input] of inputs.entries()) {
    if (input.kind !== 'prompt') continue;
    for (const [place, block] of input.content.entries()) {
      if (!namesFile(block)) continue;
      const path = `${field}.${index}.content.${place}.source.file_id`;
      yield { path, kind: block.type, id: block.source.file_id };
    }
  }
}

function checkForm(path: string, kind: Kind, { mimeType, sizeBytes }: FileDefinition): void {
  if (!TYPES[kind].includes(mimeType)) {
    throw new RoundhouseError(
      'invalid_request',
      `${path}: expected a file of one of the types ${TYPES[kind].join(', ')}, got ${mimeType}; upload it as one of them, or give it to the session as one of its resources`,
    );
  }
  if (sizeBytes > 0) return;
  throw new RoundhouseError(
    'invalid_request',
    `${path}: expected a file that has content, got an empty one; upload another one`,
  );
}

function base64Bytes(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}

function textOf(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RoundhouseError(
      'invalid_request',
      `${path}: expected a file of text in UTF-8, got bytes that are none; convert it, and upload it again`,
      { cause },
    );
  }
}

/** The block with the data of the file that it names; any other as it is. */
function withFile(block: Block, read: ReadonlyMap<string, ReadFile>): Block {
  if (!namesFile(block)) return block;
  const file = read.get(block.source.file_id);
  if (file === undefined)
    throw new RoundhouseError('internal', `File ${block.source.file_id} was not read.`);
  const { mimeType, data } = file;
  const base64 = { type: 'base64', media_type: mimeType, data } as const;
  if (block.type === 'image') return { ...block, source: base64 };
  return {
    ...block,
    source: mimeType === TEXT ? { type: 'text', media_type: TEXT, data } : base64,
  };
}

/** What concerns a file of the client's, with the field that names it. */
async function at<T>(path: string, looked: Promise<T>): Promise<T> {
  try {
    return await looked;
  } catch (error) {
    const { code, message } = asRoundhouseError(error);
    if (code !== 'not_found' && code !== 'file_expired') throw error;
    throw new RoundhouseError(code, `${path}: ${message}`, { cause: error });
  }
}
