/** Least to most telling; `silent` writes nothing. */
export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;

/** The least severe level that is written. */
export type LogLevel = (typeof LOG_LEVELS)[number];
