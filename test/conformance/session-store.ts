import { afterEach, beforeEach, describe } from 'vitest';
import { describeEventQueries } from './session-store/event-queries.ts';
import { describeSessionFork } from './session-store/session-fork.ts';
import { describeClosing } from './session-store/closing.ts';
import { describeListing } from './session-store/listing.ts';
import { describeOwnership } from './session-store/ownership.ts';
import { describeRecords } from './session-store/records.ts';
import { describeRows } from './session-store/rows.ts';
import { StoreStage, type OpenedStore } from './session-store/store-stage.ts';
import { describeTranscripts } from './session-store/transcripts.ts';
import { describeTrimming } from './session-store/trimming.ts';
import { describeUnfinishedTurns } from './session-store/unfinished-turns.ts';

export type { OpenedStore } from './session-store/store-stage.ts';

/** What every `SessionStore` must do. `open` gives an empty store, and clears away after the test by itself. */
export function describeSessionStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} as a session store`, () => {
    const stage = new StoreStage();

    beforeEach(() => stage.open(open));
    afterEach(() => stage.store.close());

    describeRows(stage);
    describeListing(stage);
    describeOwnership(stage);
    describeRecords(stage);
    describeTrimming(stage);
    describeUnfinishedTurns(stage);
    describeEventQueries(() => stage.store);
    describeSessionFork(() => stage.store);
    describeTranscripts(() => stage.store);
    describeClosing(stage);
  });
}
