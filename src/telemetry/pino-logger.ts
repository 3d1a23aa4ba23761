import { destination as openDestination, pino, stdTimeFunctions } from 'pino';
import type { DestinationStream } from 'pino';

import type { LogLevel } from './log-level.ts';
import type { LogFields, Logger } from './telemetry.ts';
import { plainFields } from './log-fields.ts';

/** Settings of the pino logger. */
export interface PinoLoggerOptions {
  /** The least severe level that is written. */
  readonly level: LogLevel;
  /** Where lines go. Default: stderr, written at once, so that the last words before a crash are there. */
  readonly destination?: DestinationStream;
}

/**
 * A logger that writes one JSON object a line: `{level, time, event, …fields}`, the time in RFC 3339. Errors carry their
 * code and cause; fields whose name says that they hold a secret are masked.
 */
export function createPinoLogger({ level, destination }: PinoLoggerOptions): Logger {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Ours come first: pino's own would drop an error's code.
      serializers: {},
    },
    destination ?? openDestination({ dest: 2, sync: true }),
  );
  const at =
    (name: Exclude<LogLevel, 'silent'>) =>
    (event: string, fields: LogFields = {}): void => {
      if (logger.isLevelEnabled(name)) logger[name](plainFields(fields), event);
    };
  const levels = { info: at('info'), warn: at('warn'), error: at('error') };
  return logger.isLevelEnabled('debug') ? { ...levels, debug: at('debug') } : levels;
}
