import { parseArgs } from 'node:util';

import { runChaos, type ChaosOptions } from './run.ts';

const USAGE =
  'Usage: npm run chaos -- [--minutes N] [--seed S] [--max-processes P] [--sessions K] [--full-disk] [--keep-log]';

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Omit<ChaosOptions, 'signal'>;
  try {
    options = readArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { seed, minutes } = options;
  console.log(`Chaos for ${minutes} min, seed ${seed}. Ctrl-C ends it and cleans up.`);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The second time nothing is waited for; what is left goes with this process.
      if (interrupted.signal.aborted) process.exit(130);
      console.log('Ending; once more to end at once.');
      interrupted.abort();
    });
  }
  const result = await runChaos({ ...options, signal: interrupted.signal });
  if (result.aborted) return 130;
  return result.violations > 0 ? 1 : 0;
}

function readArguments(): Omit<ChaosOptions, 'signal'> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '2' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      'max-processes': { type: 'string', default: '4' },
      sessions: { type: 'string', default: '12' },
      'full-disk': { type: 'boolean', default: false },
      'keep-log': { type: 'boolean', default: false },
    },
  });
  return {
    minutes: within('minutes', values.minutes, 0.05, 24 * 60),
    seed: Math.floor(within('seed', values.seed, 0, 2 ** 31)),
    maxProcesses: Math.floor(within('max-processes', values['max-processes'], 1, 64)),
    sessions: Math.floor(within('sessions', values.sessions, 1, 1_000)),
    ownDisk: values['full-disk'],
    keepLog: values['keep-log'],
    print: (text) => console.log(text),
  };
}

function within(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text !== '' && value >= min && value <= max) return value;
  throw new Error(`--${name}: expected a number from ${min} to ${max}, got ${text}.`);
}
