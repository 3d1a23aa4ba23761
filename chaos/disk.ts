import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Room for the longest run; small enough to be filled within a moment. */
const DISK_MB = 192;
const CHUNK = Buffer.alloc(1024 * 1024);

/**
 * Puts a small file system of its own on a folder, so that it can be filled without harm to the machine. Returns why that
 * is not possible here, or undefined when it is done; then {@link unmountDisk} must follow.
 */
export function mountSmallDisk(folder: string): string | undefined {
  if (process.getuid?.() !== 0) return 'a file system of its own can be mounted by root only';
  try {
    execFileSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${DISK_MB}m,mode=700`, 'roundhouse-chaos', folder],
      {
        stdio: 'pipe',
      },
    );
    return undefined;
  } catch (error) {
    return `mount failed: ${String(error).split('\n')[0]}`;
  }
}

/** Takes the file system away, also while a process still has files open there. Harmless without one. */
export function unmountDisk(folder: string): void {
  try {
    execFileSync('umount', ['-l', folder], { stdio: 'pipe' });
  } catch {
    // There is none, or not any more.
  }
}

/** Fills the disk of a folder to the last byte. Returns how to make room again; calling that twice is harmless. */
export function fillDisk(folder: string): () => void {
  const path = join(folder, 'ballast');
  const file = openSync(path, 'w');
  try {
    for (let size = CHUNK.length; size >= 1; size = Math.floor(size / 16))
      writeUntilFull(file, size);
  } finally {
    closeSync(file);
  }
  return () => rmSync(path, { force: true });
}

function writeUntilFull(file: number, size: number): void {
  try {
    for (;;) writeSync(file, CHUNK, 0, size);
  } catch {
    // No space left: what was wanted.
  }
}

/** Whether the size of files that a process writes can be limited from outside. */
export function canLimitFiles(): boolean {
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), '--fsize'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/** Makes every write of a process to a file fail (`0`), or takes that away again (`unlimited`). */
export function limitFiles(pid: number, limit: '0' | 'unlimited'): boolean {
  try {
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${limit}:unlimited`], {
      stdio: 'pipe',
    });
    return true;
  } catch {
    return false; // It is gone.
  }
}
