import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

import type { CliContext } from '../context.ts';
import { errorText } from '../../errors.ts';
import { UsageError } from '../usage-error.ts';

/** Fields as a file has them: everything that the API takes, unchecked. The server checks every one of them by name. */
export type Fields = Readonly<Record<string, unknown>>;

/** What `--file` names: YAML or JSON, or both from stdin for `-`. Nothing named: no fields. Throws {@link UsageError}. */
export async function readDefinition(
  file: string | undefined,
  context: CliContext,
): Promise<Fields> {
  if (file === undefined) return {};
  const name = file === '-' ? 'stdin' : file;
  const text = file === '-' ? await readAll(context.stdin) : readText(file);
  const data = parsed(text, name);
  if (!isFields(data)) {
    throw new UsageError(`${name}: expected fields by name, as the API has them (YAML or JSON).`);
  }
  return data;
}

/** All of a stream as text. */
export async function readAll(stream: CliContext['stdin']): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string, name: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    // Its first line has the place.
    throw new UsageError(`${name}: ${errorText(error).split('\n')[0]?.replace(/:$/, '.')}`);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(`--file: ${file} can't be read (${code}).`);
  }
}

/** Whether a value has fields by name. */
export function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
