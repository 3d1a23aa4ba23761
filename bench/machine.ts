import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { z } from 'zod';

const GIB = 2 ** 30;
const manifest = z.object({ version: z.string() });

/** What the figures of a run depend on. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  /** Load average of the last minute, when the run began: more than 0.5 a core, and the figures are those of a busy machine. */
  readonly load: number;
  readonly platform: string;
  readonly node: string;
  readonly agentSdk: string;
  readonly fastify: string;
}

export function describeMachine(): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / GIB),
    load: loadavg()[0] ?? 0,
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    agentSdk: versionOf('@anthropic-ai/claude-agent-sdk'),
    fastify: versionOf('fastify'),
  };
}

/** The machine in one line. */
export function machineLine(machine: Machine): string {
  const { cores, cpu, memoryGib, load, platform, node, agentSdk, fastify } = machine;
  return `${cores} cores (${cpu}), ${memoryGib} GiB, load ${load.toFixed(1)}, ${platform}, node ${node}, agent SDK ${agentSdk}, fastify ${fastify}`;
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  // Not every package lets its manifest be imported, so it is looked for from the package's entry upwards.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return manifest.parse(require(`${folder}/${name}/package.json`)).version;
    } catch {
      // Not in this folder: the next one, or nowhere.
    }
  }
  return 'unknown';
}
