import type { Command } from 'commander';

import type { CliContext } from '../context.ts';
import type { Config } from '../../config/schema.ts';
import { banner } from '../banner.ts';
import { createPinoLogger } from '../../telemetry/pino-logger.ts';
import { failureText } from '../failure.ts';
import { collectAll, giveBackIdleMemory } from '../idle-memory.ts';
import { loadFromCommand } from '../setting-flags.ts';
import { PrometheusMetrics } from '../../telemetry/prometheus-metrics.ts';
import { resolveUpstream } from '../../config/upstream.ts';
import { runUntilStopped } from '../until-stopped.ts';
import { showWarnings } from '../warnings.ts';

/** `roundhouse serve`: runs the server until a signal comes. */
export async function serve(command: Command, context: CliContext): Promise<number> {
  const { warnings, stderr } = context;
  if (warnings !== undefined) showWarnings(warnings, (text) => void stderr.write(text));
  let config: Config | undefined;
  try {
    const loaded = loadFromCommand(command, context).config;
    config = loaded;
    const upstream = resolveUpstream(context.env, loaded.simulator.mode);
    const log = createPinoLogger({ level: loaded.log.level, destination: context.stderr });
    const telemetry = { log, metrics: new PrometheusMetrics({ log, node: true }) };
    const { startServer } = await import('../../server.ts');
    return await runUntilStopped(
      () => startServer(loaded, { upstream, telemetry }),
      (server) => {
        context.stdout.write(banner(loaded, upstream.kind, server.url));
        const stop = giveBackIdleMemory({ busy: () => server.busy, collect: collectAll });
        void server.stopped.catch(() => {}).then(stop);
      },
      context,
    );
  } catch (error) {
    context.stderr.write(`${failureText(error, config?.server)}\n`);
    return 1;
  }
}
