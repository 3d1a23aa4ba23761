import { z } from 'zod';
import { defaultMountPath, MOUNT_PATH_RULE, mountSegments } from '../../definitions/mount-path.ts';
import { agentOverrides } from './agent-schema.ts';
import { distinct, metadata, metadataPatch } from './common-schema.ts';
import { SESSION_FIELDS } from './fields.ts';
import { userMessage } from './message-schema.ts';
import { isEmptyList, refusedField, refusedVariant } from './parse-body.ts';

/** Bodies of `POST /v1/sessions` and `POST /v1/sessions/{id}`. */

const MAX_EVENTS = 50;
const MAX_RESOURCES = 100;
const MAX_TITLE_CHARS = 1_024;

/** An id of ours, or none that exists. */
const id = z.string().min(1).max(200);
const version = z.number().int().min(1).optional();

const agent = z.union([
  id,
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('agent'), id, version }),
    z.strictObject({ type: z.literal('agent_with_overrides'), id, version, ...agentOverrides }),
  ]),
]);

const budget = z.strictObject({
  type: z.literal('limit'),
  max_list_cost: z.strictObject({
    amount: z
      .string()
      .regex(/^[1-9]\d{0,14}$/, 'expected whole cents as text, such as "2500" for 25 dollars'),
    currency: z.literal('USD'),
  }),
});

const resource = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('file'),
      file_id: id,
      mount_path: z
        .string()
        .refine((path) => mountSegments(path) !== undefined, `expected ${MOUNT_PATH_RULE}`)
        .nullish(),
    })
    .transform(({ file_id, mount_path }) => ({
      file_id,
      mount_path: mount_path ?? defaultMountPath(file_id),
    })),
  refusedVariant('github_repository', SESSION_FIELDS['resources.*.type.github_repository']),
  refusedVariant('memory_store', SESSION_FIELDS['resources.*.type.memory_store']),
]);

const event = z.discriminatedUnion('type', [
  userMessage,
  refusedVariant(
    'user.define_outcome',
    SESSION_FIELDS['initial_events.*.type.user.define_outcome'],
  ),
]);

export const sessionTitle = z.string().max(MAX_TITLE_CHARS).nullish();
const vaults = refusedField(SESSION_FIELDS.vault_ids, isEmptyList);

export const sessionCreateSchema = z.strictObject({
  agent,
  environment_id: id,
  budget: budget.optional(),
  initial_events: z.array(event).max(MAX_EVENTS).optional(),
  metadata: metadata.optional(),
  resources: z
    .array(resource)
    .max(MAX_RESOURCES)
    .superRefine((resources, context) => {
      distinct(resources, 'mount_path', [], context);
    })
    .optional(),
  title: sessionTitle,
  vault_ids: vaults,
});

export type SessionCreate = z.output<typeof sessionCreateSchema>;

export const sessionUpdateSchema = z.strictObject({
  agent: z
    .strictObject({ tools: agentOverrides.tools, mcp_servers: agentOverrides.mcp_servers })
    .optional(),
  budget: budget.nullish(),
  metadata: metadataPatch.nullish(),
  title: sessionTitle,
  vault_ids: vaults,
});
