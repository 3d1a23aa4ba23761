import { RoundhouseError, errorText } from '../errors.ts';

/** Where a command wanted to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** One sentence, or a list of mistakes, that tells a person why a command failed and what to do. Never a stack trace. */
export function failureText(error: unknown, address?: ListenAddress): string {
  const code = listenFailure(error);
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${address?.port ?? ''} of ${address?.host ?? 'this machine'} is in use: stop what listens there, or choose another port with --port (0 takes a free one).`;
    case 'EACCES':
      return `This user may not listen on port ${address?.port ?? ''}: choose one above 1023 with --port.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `The address ${address?.host ?? ''} is none of this machine's: choose another with --host.`;
    default:
      return error instanceof RoundhouseError
        ? error.message
        : `It failed: ${errorText(error).split('\n')[0]}`;
  }
}

/** The system's code when the error, or one that caused it, comes from listening on an address. */
function listenFailure(error: unknown): string | undefined {
  for (let next = error; next instanceof Error; next = next.cause) {
    const syscall: unknown = 'syscall' in next ? next.syscall : undefined;
    const code: unknown = 'code' in next ? next.code : undefined;
    const listening = syscall === 'listen' || syscall === 'getaddrinfo';
    if (listening && typeof code === 'string') return code;
  }
  return undefined;
}
