/**
 * `node scripts/openapi.ts`: prints the document that a server with every route serves at `/openapi.json`. With `--lint` it
 * is held against the rules in redocly.yaml instead; nothing is sent anywhere.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fullApp } from '../src/http/testing/full-app.ts';
import { ROOT } from './read-sources.ts';
import { runCommand } from './run-command.ts';

const LIMIT_MS = 60_000;

const { app } = fullApp();
const { body } = await app.inject('/openapi.json');
await app.close();
if (process.argv.includes('--lint')) await lint(body);
else console.log(JSON.stringify(JSON.parse(body), null, 2));

async function lint(text: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-openapi-'));
  try {
    const file = join(folder, 'openapi.json');
    await writeFile(file, text);
    const { problem } = await runCommand(
      join(ROOT, 'node_modules', '.bin', 'redocly'),
      [
        'lint',
        '--format=stylish',
        '--max-problems=30',
        `--config=${join(ROOT, 'redocly.yaml')}`,
        file,
      ],
      {
        env: {
          PATH: process.env['PATH'] ?? '',
          HOME: folder,
          REDOCLY_TELEMETRY: 'off',
          REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
        },
        cwd: folder,
        limitMs: LIMIT_MS,
      },
    );
    if (problem !== undefined) {
      console.error(`The OpenAPI document has mistakes: redocly, ${problem}.`);
      process.exitCode = 1;
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
