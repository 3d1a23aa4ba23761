import { DatabaseSync } from 'node:sqlite';
import { Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeSqliteDialect } from './node-sqlite-dialect.ts';

interface Tables {
  readonly t: { readonly id: number; readonly text: string | null };
}

describe('Kysely on node:sqlite', () => {
  let database: DatabaseSync;
  let db: Kysely<Tables>;

  beforeEach(() => {
    database = new DatabaseSync(':memory:');
    database.exec('create table t (id integer primary key, text text)');
    db = new Kysely<Tables>({ dialect: new NodeSqliteDialect(database) });
  });
  afterEach(() => db.destroy());

  const insert = (id: number) => db.insertInto('t').values({ id, text: `text ${id}` });

  it('counts what a write has changed, and returns rows where they are asked for', async () => {
    const inserted = await insert(7).executeTakeFirst();
    expect(inserted).toMatchObject({ insertId: 7n, numInsertedOrUpdatedRows: 1n });
    expect(await insert(8).returningAll().execute()).toEqual([{ id: 8, text: 'text 8' }]);
    const updated = await db.updateTable('t').set({ text: null }).executeTakeFirst();
    expect(updated.numUpdatedRows).toBe(2n);
    const deleted = await db.deleteFrom('t').where('id', '=', 9).executeTakeFirst();
    expect(deleted.numDeletedRows).toBe(0n);
  });

  it('streams rows, while other queries wait for their turn', async () => {
    for (let id = 1; id <= 5; id += 1) await insert(id).execute();
    const seen: number[] = [];
    let waiting: Promise<unknown> | undefined;
    for await (const { id } of db.selectFrom('t').select('id').orderBy('id').stream()) {
      waiting ??= insert(6).execute();
      seen.push(id);
    }
    await waiting;
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('gives the connection in the order of asking, also to those who come while it changes hands', async () => {
    const order: number[] = [];
    const ask = (id: number) =>
      db.transaction().execute(async (trx) => {
        order.push(id);
        await trx.insertInto('t').values({ id, text: null }).execute();
      });
    const first = ask(1).then(() => ask(5));
    await Promise.all([first, ask(2), ask(3), ask(4)]);
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  it('hands the connection on after a transaction that failed, with nothing of it kept', async () => {
    const failed = db.transaction().execute(async (trx) => {
      await trx.insertInto('t').values({ id: 1, text: null }).execute();
      throw new Error('on purpose');
    });
    await expect(failed).rejects.toThrow('on purpose');
    expect(await db.selectFrom('t').selectAll().execute()).toEqual([]);
  });

  it('shows the error itself when SQLite has rolled back on its own because of it', async () => {
    await insert(1).execute();
    const failed = db
      .transaction()
      .execute((trx) => sql`insert or rollback into t (id) values (1)`.execute(trx));
    await expect(failed).rejects.toThrow('UNIQUE constraint failed: t.id');
    await insert(2).execute();
    expect(await db.selectFrom('t').selectAll().execute()).toHaveLength(2);
  });

  it('refuses a value that SQLite has no type for', async () => {
    await expect(sql`select ${true}`.execute(db)).rejects.toThrow('has type boolean');
    await expect(sql`select ${undefined}`.execute(db)).rejects.toThrow('has type undefined');
  });

  it('keeps giving right answers when more statements come than it keeps prepared', async () => {
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 150; n += 1) {
        const { rows } = await sql<{ n: number }>`select ${sql.lit(n)} as n`.execute(db);
        expect(rows).toEqual([{ n }]);
      }
    }
  });
});
