import type {
  BetaEnvironment,
  BetaEnvironmentDeleteResponse,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { z } from 'zod';
import { metadata, time } from './common-schema.ts';
import { apiLimits } from './limits-schema.ts';

/** What `toEnvironment` makes, as the document of the API shows it. */

const nothing = z.array(z.never());

export const environmentAnswer = z
  .object({
    type: z.literal('environment'),
    id: z.string().describe('`env_…`'),
    name: z.string(),
    description: z.string().nullable(),
    metadata,
    scope: z.literal('organization'),
    config: z
      .object({
        type: z.literal('cloud'),
        networking: z.object({ type: z.literal('unrestricted') }),
        packages: z.object({
          type: z.literal('packages'),
          apt: nothing,
          cargo: nothing,
          gem: nothing,
          go: nothing,
          npm: nothing,
          pip: nothing,
        }),
      })
      .describe('Always this.'),
    created_at: time,
    updated_at: time,
    archived_at: time.nullable(),
    roundhouse: z
      .object({
        workspace: z.discriminatedUnion('type', [
          z.object({ type: z.literal('fresh') }),
          z.object({ type: z.literal('folder'), path: z.string() }),
          z.object({ type: z.literal('git_clone'), path: z.string(), ref: z.string().nullable() }),
        ]),
        variables: z.record(
          z.string(),
          z.object({ secret: z.boolean(), value: z.string().exactOptional() }),
        ),
        limits: apiLimits,
      })
      .describe('Ours, not in the API. A secret variable has no value here.'),
  })
  .meta({ id: 'Environment' }) satisfies z.ZodType<BetaEnvironment>;

export const environmentDeletedAnswer = z.object({
  id: z.string(),
  type: z.literal('environment_deleted'),
}) satisfies z.ZodType<BetaEnvironmentDeleteResponse>;
