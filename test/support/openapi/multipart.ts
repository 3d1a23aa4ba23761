/** What marks a body that is to be sent in parts, before it has a boundary. */
export const MULTIPART = 'multipart/form-data';

const BOUNDARY = 'between-the-parts';

/** The content type of what {@link multipartOf} makes. */
export const MULTIPART_WITH_BOUNDARY = `${MULTIPART}; boundary=${BOUNDARY}`;

/** Fields as a multipart body: `file` as a file, all others as texts. What is no object has no parts. */
export function multipartOf(fields: unknown): string {
  const entries = typeof fields === 'object' && fields !== null ? Object.entries(fields) : [];
  const parts = entries.map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const head = `content-disposition: form-data; name="${encodeURIComponent(name)}"`;
    const file = name === 'file' ? '; filename="data.csv"\r\ncontent-type: text/csv' : '';
    return `--${BOUNDARY}\r\n${head}${file}\r\n\r\n${text}\r\n`;
  });
  return `${parts.join('')}--${BOUNDARY}--\r\n`;
}
