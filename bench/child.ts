import { fork } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { z } from 'zod';

const replySchema = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  error: z.string().optional(),
});

/** A process of the bench that does what it is asked: a server, a simulator, a client. */
export interface Child {
  /** Calls one of its methods and checks what it returns. Rejects with its error, or when it has exited. */
  call<T>(method: string, argument: unknown, result: z.ZodType<T>): Promise<T>;
  /** Ends it and waits until it is gone. May be called twice. */
  end(): Promise<void>;
}

export interface ChildOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** Where its stderr goes; by default to ours. */
  readonly errorFile?: string;
  /** Further arguments of Node, before the module. */
  readonly nodeArguments?: readonly string[];
}

/** Starts `module`, which answers through `serveParent`. */
export function startChild(
  module: URL,
  { environment, errorFile, nodeArguments = [] }: ChildOptions,
): Child {
  const errors = errorFile === undefined ? 'inherit' : openSync(errorFile, 'a', 0o600);
  const child = fork(module, {
    env: { ...environment },
    execArgv: ['--disable-warning=ExperimentalWarning', ...nodeArguments],
    stdio: ['ignore', 'inherit', errors, 'ipc'],
    serialization: 'advanced',
  });
  if (typeof errors === 'number') closeSync(errors);
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const exited = Promise.withResolvers<void>();
  let calls = 0;

  child.on('message', (message) => {
    const { id, result, error } = replySchema.parse(message);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
  });
  child.once('exit', (code, signal) => {
    const gone = new Error(`${module.pathname} ended (${signal ?? code}).`);
    for (const call of waiting.values()) call.reject(gone);
    waiting.clear();
    exited.resolve();
  });

  return {
    async call(method, argument, result) {
      const id = (calls += 1);
      const answered = Promise.withResolvers<unknown>();
      waiting.set(id, answered);
      child.send({ id, method, argument }, (error) => {
        if (error !== null) answered.reject(error);
      });
      return result.parse(await answered.promise);
    },
    async end() {
      // It closes what it has when the channel goes; see `serveParent`.
      if (child.connected) child.disconnect();
      await exited.promise;
    },
  };
}

const callSchema = z.object({ id: z.number(), method: z.string(), argument: z.unknown() });

/** Methods of a child; `close` is called at its end. */
export interface ChildMethods {
  readonly methods: Readonly<Record<string, (argument: unknown) => unknown>>;
  readonly close?: () => Promise<void>;
}

/** The child's side: answers calls until the parent leaves, closes, and exits. */
export function serveParent({ methods, close }: ChildMethods): void {
  process.on('message', (message) => {
    void answer(callSchema.parse(message), methods);
  });
  process.once('disconnect', () => {
    void Promise.resolve(close?.()).finally(() => process.exit());
  });
}

async function answer(
  { id, method, argument }: z.output<typeof callSchema>,
  methods: ChildMethods['methods'],
): Promise<void> {
  try {
    const run = methods[method];
    if (run === undefined) throw new Error(`There is no method ${method}.`);
    reply({ id, result: await run(argument) });
  } catch (error) {
    reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function reply(message: { id: number; result?: unknown; error?: string }): void {
  process.send?.(message);
}
