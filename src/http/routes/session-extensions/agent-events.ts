import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { WatchedMessage } from '../../../log/agent-messages.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { sseEvent, SseWriter } from '../../sse-writer.ts';
import { managedSessionParams, type ManagedSessionParams } from '../v1-sessions/params.ts';

const OPERATION: Operation = {
  id: 'followAgentEvents',
  tag: 'Extensions',
  summary: 'Follow what the agent itself says',
  description:
    'For debugging: the messages of the agent SDK from now on, in its own form, which may change with every version. Off unless the operator switches it on (`server.agentEvents`). `missed` tells how many were left out for a client that was too slow.',
  params: managedSessionParams,
  answers: {
    200: { description: 'The messages.', events: z.looseObject({ type: z.string().optional() }) },
  },
  errors: ['not_found'],
};

const KEEP_ALIVE = ': keep-alive\n\n';

/** `GET /v1/sessions/:sessionId/roundhouse/agent-events`: live only, and nothing of it is kept. */
export function agentEventsRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.get<ManagedSessionParams>(
    '/v1/sessions/:sessionId/roundhouse/agent-events',
    described(OPERATION),
    async (request, reply) => {
      const signal = clientGoneSignal(reply.raw);
      const { sessionId } = request.params;
      const batches = await catalog.extensions.agentEvents(request.tenant, sessionId, signal);
      reply.hijack();
      const writer = new SseWriter(reply.raw, {
        headers: reply.getHeaders(),
        heartbeat: KEEP_ALIVE,
        heartbeatMs: options.heartbeatMs,
        readerMaxLagMs: options.readerMaxLagMs,
      });
      try {
        for await (const batch of batches) {
          for (const watched of batch) writer.send(eventText(watched));
          if (writer.blocked) await writer.drained();
          if (writer.closed) break;
        }
      } finally {
        writer.end();
      }
      return reply;
    },
  );
}

function eventText(watched: WatchedMessage): string {
  return 'missed' in watched
    ? sseEvent('missed', JSON.stringify(watched))
    : sseEvent(watched.message.type, watched.message.json);
}
