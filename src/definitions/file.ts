/** A file that a client has sent, without its bytes. */
export interface FileDefinition {
  /** As its sender named it, 1 to 255 characters. It is shown and never part of a path. */
  readonly name: string;
  readonly mimeType: string;
  readonly sizeBytes: number;
  /** Of the bytes, in hexadecimal. */
  readonly sha256: string;
  /** From then on there are no bytes; null: never. Wall clock, RFC 3339 in UTC. */
  readonly expiresAt: string | null;
}
