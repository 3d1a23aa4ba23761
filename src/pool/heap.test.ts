import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from './heap.ts';

const item = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j');
const step = fc.oneof(
  fc.record({ set: item, key: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ delete: item }),
  fc.constant({ take: true as const }),
);

test('the first is always the least, the earliest of equal ones, whatever was set, moved or taken out before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new Heap<string>();
      const model: { item: string; key: number }[] = [];
      const remove = (gone: string | undefined): void => {
        const at = model.findIndex((entry) => entry.item === gone);
        if (at >= 0) model.splice(at, 1);
      };
      for (const change of steps) {
        if ('set' in change) {
          const known = model.find((entry) => entry.item === change.set);
          heap.set(change.set, change.key);
          if (known?.key !== change.key) {
            remove(change.set);
            model.push({ item: change.set, key: change.key });
          }
        } else {
          const gone = 'take' in change ? heap.first : change.delete;
          if (gone !== undefined) heap.delete(gone);
          remove(gone);
        }
        expect(heap.first).toBe(model.toSorted((a, b) => a.key - b.key)[0]?.item);
        expect(heap.size).toBe(model.length);
      }
    }),
  );
});
