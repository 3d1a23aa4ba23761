import { z } from 'zod';
import { metadata, metadataPatch, name } from './common-schema.ts';
import { ENVIRONMENT_FIELDS } from './fields.ts';
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

const workspace = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('fresh') }),
  z.strictObject({
    type: z.literal('folder'),
    path: z.string().max(MAX_PATH_CHARS).refine(isAbsolute, 'expected an absolute path'),
  }),
  refusedVariant('git_clone', ENVIRONMENT_FIELDS['roundhouse.workspace.git_clone']),
]);

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

const limits = refusedField(ENVIRONMENT_FIELDS['roundhouse.limits']);

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
      limits,
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
      limits,
    })
    .nullish(),
});

function hasNoNul(text: string): boolean {
  return !text.includes('\0');
}

function isAbsolute(path: string): boolean {
  return path.startsWith('/') && hasNoNul(path);
}
