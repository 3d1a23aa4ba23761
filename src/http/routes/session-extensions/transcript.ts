import type { FastifyInstance } from 'fastify';
import type { TranscriptPart } from '../../../pool/transcript-pages.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { cutWhenStill } from '../../cut-when-still.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams, type ManagedSessionParams } from '../v1-sessions/params.ts';

const MEDIA = 'application/x-ndjson';

const OPERATION: Operation = {
  id: 'readSessionTranscript',
  tag: 'Extensions',
  summary: 'Read the transcript of a session',
  description:
    'What the agent knows of the conversation, in its own form, which may change with every version of it: JSON lines of `{"transcript", "entry"}`. `main` is the conversation itself and comes first; another one is that of a subagent.',
  params: managedSessionParams,
  answers: { 200: { description: 'The entries, a line for each.', media: MEDIA } },
  errors: ['not_found', 'session_not_found'],
};

/** `GET /v1/sessions/:sessionId/transcript`: as it is in the store; streamed, as fast as the client takes it. */
export function transcriptRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.get<ManagedSessionParams>(
    '/v1/sessions/:sessionId/transcript',
    described(OPERATION),
    async (request, reply) => {
      const { sessionId } = request.params;
      const parts = await catalog.extensions.transcript(request.tenant, sessionId);
      cutWhenStill(reply, options.readerMaxLagMs);
      // A part is a chunk: one is read when the one before has gone to the connection.
      return reply.type(MEDIA).send(ReadableStream.from(linesOf(parts)));
    },
  );
}

async function* linesOf(parts: AsyncIterable<TranscriptPart>): AsyncGenerator<Uint8Array> {
  for await (const { subpath, entries } of parts) {
    const transcript = subpath === '' ? 'main' : subpath;
    let text = '';
    for (const entry of entries) text += `${JSON.stringify({ transcript, entry })}\n`;
    yield Buffer.from(text);
  }
}
