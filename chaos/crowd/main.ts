import { parseArgs } from 'node:util';

import { runCrowd, type CrowdOptions } from './run.ts';

const USAGE = 'Usage: npm run crowd -- [--prompts N] [--sessions K] [--processes P] [--seed S]';

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Omit<CrowdOptions, 'signal'>;
  try {
    options = readArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { prompts, sessions, processes, seed } = options;
  console.log(
    `${prompts} prompts over ${sessions} sessions through ${processes} processes, seed ${seed}. Ctrl-C ends it and cleans up.`,
  );
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The second time nothing is waited for; what is left goes with this process.
      if (interrupted.signal.aborted) process.exit(130);
      console.log(`${signal}: ending; once more to end at once.`);
      interrupted.abort();
    });
  }
  const result = await runCrowd({ ...options, signal: interrupted.signal });
  if (result.aborted) return 130;
  return result.violations > 0 ? 1 : 0;
}

function readArguments(): Omit<CrowdOptions, 'signal'> {
  const { values } = parseArgs({
    options: {
      prompts: { type: 'string', default: '1000' },
      sessions: { type: 'string', default: '200' },
      processes: { type: 'string', default: '8' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const prompts = whole('prompts', values.prompts, 1, 1_000_000);
  return {
    prompts,
    sessions: whole('sessions', values.sessions, 1, Math.min(10_000, prompts)),
    processes: whole('processes', values.processes, 1, 64),
    seed: whole('seed', values.seed, 0, 2 ** 31),
    print: (text) => console.log(text),
  };
}

function whole(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name}: expected a whole number from ${min} to ${max}, got ${text}.`);
}
