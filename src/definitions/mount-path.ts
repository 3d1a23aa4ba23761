const MAX_PATH_CHARS = 1_024;
const MAX_SEGMENTS = 32;

/** File systems keep names of 255 bytes. */
const MAX_SEGMENT_BYTES = 255;

/** What programs take orders from where they find it: a `.git/config` names commands that any call of git runs. */
const RESERVED = ['.git', '.claude'];

/** What a path has to be, as the end of a sentence that begins with "expected". */
export const MOUNT_PATH_RULE =
  'an absolute path with at least one folder, such as /mnt/session/uploads/data.csv, without . or .. and nothing below .git or .claude';

/** Where a file stands unless its session says otherwise; the API's default. */
export function defaultMountPath(fileId: string): string {
  return `/mnt/session/uploads/${fileId}`;
}

/**
 * The folders and the name that a mount path stands for below a workspace, which is its root: `/mnt/a` is `mnt/a` there.
 * Undefined for what is not as {@link MOUNT_PATH_RULE} says. Nothing stands at the top of a workspace, for a few files
 * there (`HEAD`, `config`, …) would make it a repository of git with a configuration of the client's.
 */
export function mountSegments(path: string): readonly string[] | undefined {
  if (path.length > MAX_PATH_CHARS || !path.startsWith('/')) return undefined;
  const segments = path.slice(1).split('/');
  const fits = segments.length >= 2 && segments.length <= MAX_SEGMENTS;
  return fits && segments.every(isPlainName) ? segments : undefined;
}

function isPlainName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    // Control characters, a separator of other systems, and halves of characters, which no file system keeps.
    !/[\p{Cc}\\]/u.test(name) &&
    name.isWellFormed() &&
    new TextEncoder().encode(name).byteLength <= MAX_SEGMENT_BYTES &&
    !RESERVED.includes(name.toLowerCase())
  );
}
