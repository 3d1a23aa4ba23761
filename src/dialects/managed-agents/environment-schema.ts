import { z } from 'zod';
import { GIT_REF_RULE, isGitRef } from '../../definitions/git-ref.ts';
import { metadata, metadataPatch, name } from './common-schema.ts';
import { ENVIRONMENT_FIELDS } from './fields.ts';
import { apiLimits, apiLimitsPatch } from './limits-schema.ts';
import { isEmptyList, refusal, refusedField, refusedVariant } from './parse-body.ts';

/** Bodies of `POST /v1/environments` and `POST /v1/environments/{id}`. */

const MAX_PATH_CHARS = 4_096;
const MAX_VALUE_CHARS = 32_768;

const packageList = refusedField(ENVIRONMENT_FIELDS['config.packages'], isEmptyList);

const networking = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('unrestricted') }),
  refusedVariant('limited', ENVIRONMENT_FIELDS['config.networking']),
]);

const cloud = z.strictObject({
  type: z
    .enum(['cloud', 'self_hosted'])
    .refine((type) => type === 'cloud', refusal(ENVIRONMENT_FIELDS['config.type.self_hosted'])),
  networking: networking.nullish(),
  packages: z
    .strictObject({
      type: z.literal('packages').optional(),
      apt: packageList,
      cargo: packageList,
      gem: packageList,
      go: packageList,
      npm: packageList,
      pip: packageList,
    })
    .nullish(),
});

const absolutePath = z.string().max(MAX_PATH_CHARS).refine(isAbsolute, 'expected an absolute path');

const workspace = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('fresh') }),
  z.strictObject({ type: z.literal('folder'), path: absolutePath }),
  z.strictObject({
    type: z.literal('git_clone'),
    path: absolutePath,
    ref: z.string().refine(isGitRef, `expected ${GIT_REF_RULE}`).nullish(),
  }),
]);

/** What a body says of the workspace. */
export type WorkspaceInput = z.output<typeof workspace>;

const variableName = z
  .string()
  .max(128)
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]*$/,
    'expected the name of a variable: letters, digits, underscores',
  );

const variable = z.strictObject({
  value: z.string().max(MAX_VALUE_CHARS).refine(hasNoNul, 'expected text without NUL'),
  secret: z.boolean().optional(),
});

const common = {
  config: cloud.nullish(),
  description: z.string().max(2_048).nullish(),
  scope: z
    .enum(['organization', 'account'])
    .nullish()
    .refine((scope) => scope !== 'account', refusal(ENVIRONMENT_FIELDS['scope.account'])),
};

export const environmentCreateSchema = z.strictObject({
  name,
  ...common,
  metadata: metadata.optional(),
  roundhouse: z
    .strictObject({
      workspace: workspace.nullish(),
      variables: z.record(variableName, variable).nullish(),
      limits: apiLimits.nullish(),
    })
    .nullish(),
});

export const environmentUpdateSchema = z.strictObject({
  name: name.nullish(),
  ...common,
  metadata: metadataPatch.nullish(),
  roundhouse: z
    .strictObject({
      workspace: workspace.nullish(),
      variables: z.record(variableName, variable.nullable()).nullish(),
      limits: apiLimitsPatch.nullish(),
    })
    .nullish(),
});

function hasNoNul(text: string): boolean {
  return !text.includes('\0');
}

function isAbsolute(path: string): boolean {
  return path.startsWith('/') && hasNoNul(path);
}
