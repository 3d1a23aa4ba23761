import { DEFAULT_MIGRATION_TABLE, Migrator } from 'kysely/migration';
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { RoundhouseError } from '../../errors.ts';
import { MIGRATIONS } from './migrations.ts';
import type { Database } from './schema.ts';

/**
 * Brings the schema up to date; does nothing when it is. `storage_failed` for a database that a newer version has changed
 * and for one that belongs to another program; errors of the database come out as they are. `place` names the database in
 * messages.
 */
export async function migrate(
  db: Kysely<Database>,
  place: string,
  migrations: Readonly<Record<string, Migration>> = MIGRATIONS,
): Promise<void> {
  await checkOrigin(db, place, Object.keys(migrations));
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

async function checkOrigin(
  db: Kysely<Database>,
  place: string,
  known: readonly string[],
): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (tables.length === 0) return;
  if (!tables.some((table) => table.name === DEFAULT_MIGRATION_TABLE)) {
    throw new RoundhouseError(
      'storage_failed',
      `The database ${place} belongs to another program: it holds a table ${tables[0]?.name}. Choose another one.`,
    );
  }
  const applied = await db
    .withTables<{ [DEFAULT_MIGRATION_TABLE]: { name: string } }>()
    .selectFrom(DEFAULT_MIGRATION_TABLE)
    .select('name')
    .orderBy('name')
    .execute();
  const unknown = applied.filter(({ name }) => !known.includes(name)).at(-1);
  if (unknown === undefined) return;
  throw new RoundhouseError(
    'storage_failed',
    `The database ${place} was changed by a newer version of Roundhouse: its schema is at ${unknown.name}, this version knows ${known.at(-1)}. Use the newer version, or a backup from before the upgrade.`,
  );
}
