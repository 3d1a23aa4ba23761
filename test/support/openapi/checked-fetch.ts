import type { AnswerChecker, DocumentedOperation } from './answer-checker.ts';

/** A `fetch` that holds every answer against the document of the API, and what it has found wrong. */
export interface CheckedFetch {
  readonly fetch: typeof fetch;
  /** In words, with the request that it was found with; empty when all was as documented. */
  readonly mistakes: readonly string[];
}

/** What is asked beside the documented operations is let through as it is. Streams are looked at on their way. */
export function checkedFetch(checker: AnswerChecker): CheckedFetch {
  const mistakes: string[] = [];
  const checked: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const { method, url } = new Request(input, { ...init, body: null, duplex: 'half' });
    const operation = checker.find(method, new URL(url).pathname);
    if (operation === undefined) return response;
    const told = (found: readonly string[]): void => {
      mistakes.push(...found.map((each) => `${method} ${new URL(url).pathname}: ${each}`));
    };
    return isStream(response)
      ? watched(response, checker, operation, told)
      : whole(response, checker, operation, told);
  };
  return { fetch: checked, mistakes };
}

function isStream({ headers }: Response): boolean {
  return (headers.get('content-type') ?? '').startsWith('text/event-stream');
}

async function whole(
  response: Response,
  checker: AnswerChecker,
  operation: DocumentedOperation,
  told: (mistakes: readonly string[]) => void,
): Promise<Response> {
  // What is no JSON may be a download: whoever asked for it reads it, or does not.
  const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
  const body = isJson ? await response.clone().text() : '';
  const headers = Object.fromEntries(response.headers);
  told(checker.mistakes(operation, { status: response.status, headers, body }));
  return response;
}

function watched(
  response: Response,
  checker: AnswerChecker,
  operation: DocumentedOperation,
  told: (mistakes: readonly string[]) => void,
): Response {
  const { status, statusText } = response;
  const headers = Object.fromEntries(response.headers);
  const decoder = new TextDecoder();
  let rest = '';
  const watch = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      const text = rest + decoder.decode(chunk, { stream: true });
      const end = text.lastIndexOf('\n\n') + 2;
      if (end === 1) {
        rest = text;
        return;
      }
      rest = text.slice(end);
      told(checker.mistakes(operation, { status, headers, body: text.slice(0, end) }));
    },
  });
  const body = response.body?.pipeThrough(watch) ?? null;
  return new Response(body, { status, statusText, headers });
}
