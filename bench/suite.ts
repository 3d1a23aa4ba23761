import { z } from 'zod';

import { UNITS, type Comparison } from './comparison.ts';
import { serveParent } from './child.ts';

/** What a suite is run with. */
export const suiteOptionsSchema = z.object({
  /** Fewer rounds: shows that everything works, not how fast it is. */
  quick: z.boolean(),
  /** A private folder that is removed after the run. */
  folder: z.string(),
  /** The environment of what the suite starts. */
  environment: z.record(z.string(), z.string()),
});

export type SuiteOptions = z.output<typeof suiteOptionsSchema>;

/** What a suite gives back. */
export const comparisonsSchema = z.array(
  z.object({
    what: z.string(),
    unit: z.enum(UNITS),
    base: z.object({ name: z.string(), samples: z.array(z.number()) }).exactOptional(),
    ours: z.array(z.number()),
  }),
);

/** Each suite runs in a process of its own, so that none inherits the heap and the compiled code of another. */
export function serveSuite(run: (options: SuiteOptions) => Promise<readonly Comparison[]>): void {
  serveParent({ methods: { run: (options) => run(suiteOptionsSchema.parse(options)) } });
}
