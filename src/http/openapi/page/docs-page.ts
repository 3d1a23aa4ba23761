import type {
  JsonSchema,
  OpenApiDocument,
  OperationObject,
  ParameterObject,
  Reference,
  ResponseObject,
} from '../document-types.ts';
import { curlOf } from './curl.ts';
import { Html, html, prose } from './html.ts';
import { fieldItem, fieldsOf, typeOf } from './schema-html.ts';
import { STYLE } from './style.ts';

/** Its text is what the policy knows by its hash: nothing may come between. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: OperationObject;
}

/** A document as one page: no script, nothing from elsewhere, all of it found by the browser's own search. */
export function docsPage(document: OpenApiDocument): string {
  const { info, tags, components } = document;
  const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Entry => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
  const of = (tag: string): Entry[] =>
    entries.filter(({ operation }) => operation.tags.includes(tag));
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${info.title} API</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          <h1>${info.title} API</h1>
          <p>${prose(info.description)}</p>
          <p>
            Send a key as <code>x-api-key</code>, or as a bearer token. The same for programs:
            <a href="openapi.json">openapi.json</a>.
          </p>
        </header>
        <nav aria-label="Operations">
          ${tags.map(({ name }) => contents(name, of(name)))}
          <p><a href="#schemas">Schemas</a> <a href="#errors">Errors</a></p>
        </nav>
        <main>
          ${tags.map(
            ({ name, description }) =>
              html`<section>
                <h2 id="${anchor(name)}">${name}</h2>
                <p>${prose(description)}</p>
                ${of(name).map((entry) => operationHtml(entry, document))}
              </section>`,
          )}
          <section>
            <h2 id="schemas">Schemas</h2>
            ${Object.entries(components.schemas).map(schemaHtml)}
          </section>
          <section>
            <h2 id="errors">Errors</h2>
            ${errorsHtml(document)}
          </section>
        </main>
      </body>
    </html> `;
  return page.toString();
}

function contents(tag: string, entries: readonly Entry[]): Html {
  const items = entries.map(
    ({ operation: { operationId, summary } }) =>
      html`<li><a href="#${operationId}">${summary}</a></li>`,
  );
  return html`<h2><a href="#${anchor(tag)}">${tag}</a></h2>
    <ul>
      ${items}
    </ul>`;
}

function anchor(tag: string): string {
  return `tag-${tag.toLowerCase().replaceAll(' ', '-')}`;
}

function operationHtml({ method, path, operation }: Entry, document: OpenApiDocument): Html {
  const { operationId, summary, description, parameters = [], requestBody } = operation;
  const bodies = Object.entries(requestBody?.content ?? {}).map(
    ([media, { schema }]) =>
      html`<h4>Body</h4>
        <p class="type">
          <code>${media}</code> ${schema.$ref === undefined ? undefined : typeOf(schema)}
        </p>
        ${fieldsOf(schema)}`,
  );
  return html`<article id="${operationId}">
    <h3>${summary}</h3>
    <p class="route">
      <code><b>${method}</b> ${path}</code>${
        operation.security === undefined ? undefined : ' no key needed'
      }
    </p>
    ${description === undefined ? undefined : html`<p>${prose(description)}</p>`}
    ${parametersHtml(parameters)}${bodies}
    <h4>Example</h4>
    <pre><code>${curlOf(method, path, operation)}</code></pre>
    <h4>Answers</h4>
    <ul>
      ${Object.entries(operation.responses).map(([status, response]) =>
        responseHtml(status, response, document),
      )}
    </ul>
  </article>`;
}

function parametersHtml(parameters: readonly ParameterObject[]): Html[] {
  return (['path', 'query', 'header'] as const).flatMap((place) => {
    const items = parameters
      .filter((each) => each.in === place)
      .map(({ name, schema, required, description }) =>
        fieldItem(name, described(schema, description), required),
      );
    return items.length === 0
      ? []
      : [
          html`<h4>In the ${place}</h4>
            <ul>
              ${items}
            </ul>`,
        ];
  });
}

function described(schema: JsonSchema, description: string | undefined): JsonSchema {
  return description === undefined ? schema : { ...schema, description };
}

function responseHtml(
  status: string,
  response: ResponseObject | Reference,
  document: OpenApiDocument,
): Html {
  const found = '$ref' in response ? referred(response, document) : response;
  const codes = found?.['x-error-codes'];
  if (codes !== undefined) {
    const links = codes.map((code) => html` <a href="#error-${code}"><code>${code}</code></a>`);
    return html`<li><b>${status}</b>${links}</li>`;
  }
  const bodies = Object.entries(found?.content ?? {}).map(([media, { schema }]) => {
    const isEvents = media === 'text/event-stream';
    return html`<div>
      <code>${media}</code> ${isEvents ? 'each event: ' : ''}${typeOf(schema)}${fieldsOf(schema)}
    </div>`;
  });
  return html`<li><b>${status}</b> ${prose(found?.description ?? '')}${bodies}</li>`;
}

function referred(
  { $ref }: Reference,
  { components }: OpenApiDocument,
): ResponseObject | undefined {
  return components.responses[$ref.slice('#/components/responses/'.length)];
}

function schemaHtml([id, schema]: readonly [string, JsonSchema]): Html {
  const description =
    schema.description === undefined ? undefined : html`<p>${prose(schema.description)}</p>`;
  return html`<article id="schema-${id}">
    <h3>${id}</h3>
    ${description}${fieldsOf(schema) ?? html`<p>${typeOf(schema)}</p>`}
  </article>`;
}

function errorsHtml(document: OpenApiDocument): Html {
  const items = Object.entries(document['x-errors']).map(
    ([code, { status, type, retryable, when, next }]) =>
      html`<li id="error-${code}">
        <code>${code}</code>
        <span class="type">${status}, ${type}${retryable ? ', may be retried' : ''}</span>
        <div>${when} ${next}</div>
      </li>`,
  );
  return html`<p>The code is <code>error.details.error_code</code> of the body.</p>
    <ul>
      ${items}
    </ul>`;
}
