import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { Clones } from './clones.ts';

const REPOSITORY = { path: '/srv/repo', ref: null };
const DRAINING = new RoundhouseError('draining', 'The server closes.');

/** Clones that last until the test ends them, by their workspaces in the order in which they began. */
function world(atOnce: number) {
  const running = new Map<string, PromiseWithResolvers<void>>();
  const begun: string[] = [];
  const clones = new Clones({
    atOnce,
    folders: { find: (_tenant, path) => Promise.resolve(path) },
    host: {
      cloneRepository: async (workspace, _repository, signal) => {
        const clone = Promise.withResolvers<void>();
        begun.push(workspace);
        running.set(workspace, clone);
        signal?.addEventListener('abort', () => clone.reject(signal.reason));
        await clone.promise;
      },
    },
  });
  const clone = (workspace: string, signal?: AbortSignal, tenant = 'a'): Promise<void> => {
    const cloned = clones.clone(tenant, workspace, REPOSITORY, signal);
    cloned.catch(() => {});
    return cloned;
  };
  return { clones, clone, begun, end: (workspace: string) => running.get(workspace)?.resolve() };
}

test('clones beyond the number wait, and begin in their order as others end', async () => {
  const { clone, begun, end } = world(2);
  const cloned = ['1', '2', '3', '4'].map((workspace) => clone(workspace));
  await vi.waitFor(() => expect(begun).toEqual(['1', '2']));
  end('2');
  await cloned[1];
  await vi.waitFor(() => expect(begun).toEqual(['1', '2', '3']));
  for (const workspace of ['1', '3']) end(workspace);
  await vi.waitFor(() => expect(begun).toEqual(['1', '2', '3', '4']));
  end('4');
  await Promise.all(cloned);
});

test('a clone that fails makes place for the next one', async () => {
  const { clone, begun } = world(1);
  const leaving = new AbortController();
  const failed = clone('1', leaving.signal);
  void clone('2');
  await vi.waitFor(() => expect(begun).toEqual(['1']));
  leaving.abort(DRAINING);
  await expect(failed).rejects.toBe(DRAINING);
  await vi.waitFor(() => expect(begun).toEqual(['1', '2']));
});

test('whoever leaves waits no more, and is not cloned for', async () => {
  const { clone, begun, end } = world(1);
  const leaving = new AbortController();
  void clone('1');
  const left = clone('2', leaving.signal);
  void clone('3');
  const reason = new Error('gone');
  leaving.abort(reason);
  await expect(left).rejects.toBe(reason);
  await vi.waitFor(() => expect(begun).toEqual(['1']));
  end('1');
  await vi.waitFor(() => expect(begun).toEqual(['1', '3']));
});

test('a key that clones much keeps no other key behind all of it', async () => {
  const { clone, begun, end } = world(1);
  for (const workspace of ['1', '2', '3']) void clone(workspace);
  void clone('b', undefined, 'b');
  for (const workspace of ['1', '2', 'b']) {
    await vi.waitFor(() => expect(begun).toContain(workspace));
    end(workspace);
  }
  await vi.waitFor(() => expect(begun).toEqual(['1', '2', 'b', '3']));
});

test('the end of the server ends those that run, those that wait, and those that come', async () => {
  const { clones, clone, begun } = world(1);
  const all = [clone('1'), clone('2')];
  await vi.waitFor(() => expect(begun).toEqual(['1']));
  clones.close(DRAINING);
  all.push(clone('3'));
  for (const cloned of all) await expect(cloned).rejects.toBe(DRAINING);
  expect(begun).toEqual(['1']);
});
