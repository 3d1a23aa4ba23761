import type { z } from 'zod';

/** The parts of OpenAPI 3.1 that our document has. https://spec.openapis.org/oas/v3.1.1.html */

/**
 * A JSON Schema of the 2020-12 draft. `x-refused: true` marks a field that the API has and this server refuses, unless it
 * asks for nothing.
 */
export type JsonSchema = z.core.JSONSchema.JSONSchema;

export interface ParameterObject {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

export interface MediaObject {
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, MediaObject>>;
  /** The codes that an error of this status can have. */
  readonly 'x-error-codes'?: readonly string[];
}

export interface Reference {
  readonly $ref: string;
}

export interface OperationObject {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  /** Empty where no key is needed. */
  readonly security?: readonly [];
  readonly parameters?: readonly ParameterObject[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, MediaObject>>;
  };
  /** By status; what many have in common stands in the components. */
  readonly responses: Readonly<Record<string, ResponseObject | Reference>>;
}

/** What an error code means. */
export interface ErrorNote {
  readonly status: number;
  readonly type: string;
  readonly retryable: boolean;
  readonly when: string;
  readonly next: string;
}

export interface OpenApiDocument {
  readonly openapi: '3.1.1';
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly description: string;
    readonly license: { readonly name: string; readonly identifier: string };
  };
  readonly servers: readonly { readonly url: string; readonly description: string }[];
  readonly security: readonly Readonly<Record<string, readonly []>>[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  /** By path, then by method in small letters. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, ResponseObject>>;
    readonly headers: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
  /** Every code of an error, by name. */
  readonly 'x-errors': Readonly<Record<string, ErrorNote>>;
}
