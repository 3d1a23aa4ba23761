import type { z } from 'zod';
import type { ErrorCode } from '../../errors.ts';

/** What operations are grouped by, in the order of the page, each with a sentence. */
export const TAGS = {
  Agents:
    'What sessions are made of: a model, a system prompt, tools. As in the Managed Agents API.',
  Environments: 'Where the agents of sessions run on this host. As in the Managed Agents API.',
  Files: 'What sessions are given: for their prompts or their workspace. As in the Files API.',
  Sessions: 'Conversations of agents, in environments. As in the Managed Agents API.',
  Extensions:
    'What else can be done with a session of an agent. Not a part of the Managed Agents API.',
  Messages: "Prompts, in the form of Anthropic's Messages API.",
  Models: 'The models that requests may name.',
  'Sessions by name': 'Sessions by the names that their callers gave them.',
  Server: 'State and end of the server, and this description.',
} as const;

/** A group of operations. */
export type Tag = keyof typeof TAGS;

/** What is known of a field of a body, by its path: `tools.*.configs`, where `*` is any entry. */
export type FieldNotes = Readonly<
  Record<string, { readonly effect: 'takes effect' | 'ignored' | 'refused'; readonly note: string }>
>;

/** A body that an operation takes. */
export interface OperationBody {
  /** Its media type. Default JSON. */
  readonly media?: string;
  /** The schema that the route parses with. */
  readonly schema: z.ZodType;
  readonly notes?: FieldNotes;
  /** A short one that works; a test holds it against the schema. */
  readonly example: unknown;
}

/** An answer that is no error. */
export interface OperationAnswer {
  readonly description: string;
  /** The body, as JSON. */
  readonly schema?: z.ZodType;
  /** The data of each event, where the answer can be a stream of server-sent events. */
  readonly events?: z.ZodType;
  /** A body that is neither: its media type. */
  readonly media?: string;
}

/** What a route says of itself; the document of the API is made of these. */
export interface Operation {
  /** Unique, in camelCase: the name of the method in a generated client. */
  readonly id: string;
  readonly tag: Tag;
  /** A few words without a full stop. */
  readonly summary: string;
  /** What the summary leaves out, in Markdown's plain text. */
  readonly description?: string;
  /** The parameters of the path, all of them. */
  readonly params?: z.ZodObject;
  /** The schema that the route parses the query with. */
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: OperationBody;
  /** By status. */
  readonly answers: Readonly<Record<number, OperationAnswer>>;
  /** Codes of its own, besides those that any route of its kind has. */
  readonly errors?: readonly ErrorCode[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the route says of itself. A test fails for a route that says nothing. */
    operation?: Operation;
    /** Whether the route needs no key. */
    public?: boolean;
  }
}

/** The options of a route that describes itself: `app.get(url, described({…}), handler)`. */
export function described(operation: Operation): { config: { operation: Operation } } {
  return { config: { operation } };
}

/** The same for a route that needs no key. */
export function publiclyDescribed(operation: Operation): {
  config: { operation: Operation; public: true };
} {
  return { config: { operation, public: true } };
}
