/** Extensions that stand for a type, the usual one of each type first. */
const EXTENSIONS: Readonly<Record<string, readonly string[]>> = {
  'application/json': ['json'],
  'application/pdf': ['pdf'],
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': ['pptx'],
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': ['xlsx'],
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': ['docx'],
  'application/xml': ['xml'],
  'application/zip': ['zip'],
  'image/gif': ['gif'],
  'image/jpeg': ['jpg', 'jpeg'],
  'image/png': ['png'],
  'image/svg+xml': ['svg'],
  'image/webp': ['webp'],
  'text/csv': ['csv'],
  'text/html': ['html', 'htm'],
  'text/markdown': ['md'],
  'text/plain': ['txt'],
};

/** What clients send that know no type. */
export const UNKNOWN_TYPE = 'application/octet-stream';

const TYPE_OF = new Map(
  Object.entries(EXTENSIONS).flatMap(([type, extensions]) =>
    extensions.map((extension) => [extension, type] as const),
  ),
);

/** The usual extension of a type, with its dot; empty when none is known. */
export function extensionOf(mimeType: string): string {
  const extension = EXTENSIONS[mimeType]?.[0];
  return extension === undefined ? '' : `.${extension}`;
}

/** The type that the extension of a name stands for. */
export function typeByName(name: string): string | undefined {
  return TYPE_OF.get(/\.([^.]*)$/.exec(name)?.[1]?.toLowerCase() ?? '');
}
