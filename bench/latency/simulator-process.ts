import { serveParent } from '../child.ts';
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';

/** The upstream of both sides, in a process of its own so that it takes no time of theirs. It waits for nothing. */
let simulator: Simulator | undefined;

serveParent({
  methods: {
    async start() {
      simulator = await startSimulator({ tokenDelayMs: 0 });
      return simulator.url;
    },
  },
  close: async () => simulator?.close(),
});
