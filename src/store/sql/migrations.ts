import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/**
 * Every change of the schema, by number. A migration that has been released never changes: a correction is a new one. They
 * run in one transaction, so a crash leaves the schema as it was. `down` does not exist: to go back, restore a backup.
 */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_sessions': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable('sessions')
        .addColumn('id', 'text', (column) => column.primaryKey().notNull())
        .addColumn('tenant', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('agent_session_id', 'text', (column) => column.notNull())
        .addColumn('options', 'text', (column) => column.notNull())
        .addColumn('workspace', 'text', (column) => column.notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('stale_transcript_folder', 'text')
        .addColumn('usage', 'text', (column) => column.notNull())
        .addColumn('turn_count', 'integer', (column) => column.notNull())
        .addColumn('created_at', 'text', (column) => column.notNull())
        .addColumn('last_active_at', 'text', (column) => column.notNull())
        .addColumn('owner', 'text', (column) => column.notNull())
        .addColumn('epoch', 'integer', (column) => column.notNull())
        .addColumn('last_number', 'integer', (column) => column.notNull())
        .addUniqueConstraint('sessions_tenant_name', ['tenant', 'name'])
        .execute();
      await db.schema
        .createIndex('sessions_tenant_created')
        .on('sessions')
        .columns(['tenant', 'created_at', 'id'])
        .execute();
      await db.schema
        .createIndex('sessions_created')
        .on('sessions')
        .columns(['created_at', 'id'])
        .execute();

      await db.schema
        .createTable('events')
        .addColumn('session_id', 'text', (column) =>
          column.notNull().references('sessions.id').onDelete('cascade'),
        )
        .addColumn('number', 'integer', (column) => column.notNull())
        .addColumn('turn_id', 'text')
        .addColumn('at', 'text', (column) => column.notNull())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('body', 'text', (column) => column.notNull())
        .addColumn('detail', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('events_key', ['session_id', 'number'])
        .execute();

      await db.schema
        .createTable('open_turns')
        .addColumn('session_id', 'text', (column) =>
          column.notNull().references('sessions.id').onDelete('cascade'),
        )
        .addColumn('turn_id', 'text', (column) => column.notNull())
        .addColumn('prompt_number', 'integer', (column) => column.notNull())
        .addColumn('delivered', 'integer', (column) => column.notNull())
        .addColumn('position', 'integer', (column) => column.notNull())
        .addPrimaryKeyConstraint('open_turns_key', ['session_id', 'turn_id'])
        .execute();

      await db.schema
        .createTable('transcript_entries')
        .addColumn('agent_session_id', 'text', (column) => column.notNull())
        .addColumn('subpath', 'text', (column) => column.notNull())
        .addColumn('position', 'integer', (column) => column.notNull())
        .addColumn('uuid', 'text')
        .addColumn('entry', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('transcript_entries_key', [
          'agent_session_id',
          'subpath',
          'position',
        ])
        .addUniqueConstraint('transcript_entries_uuid', ['agent_session_id', 'subpath', 'uuid'])
        .execute();
    },
  },
  '0002_retention': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .alterTable('sessions')
        .addColumn('first_number', 'integer', (column) => column.notNull().defaultTo(1))
        .execute();
      await db.schema
        .alterTable('sessions')
        .addColumn('event_bytes', 'bigint', (column) => column.notNull().defaultTo(0))
        .execute();
      await sql`
        update sessions set event_bytes = coalesce((
          select sum(octet_length(body) + octet_length(detail))
          from events where events.session_id = sessions.id
        ), 0)`.execute(db);
    },
  },
  '0004_session_limits': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .alterTable('sessions')
        .addColumn('limits', 'text', (column) => column.notNull().defaultTo('{}'))
        .execute();
    },
  },
  // Not 0003: numbers between may have been given by the time that this one is released.
  '0013_catalog': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable('catalog_documents')
        .addColumn('id', 'text', (column) => column.primaryKey().notNull())
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('tenant', 'text', (column) => column.notNull())
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('created_at', 'text', (column) => column.notNull())
        .addColumn('archived_at', 'text')
        .execute();
      await db.schema
        .createIndex('catalog_documents_listing')
        .on('catalog_documents')
        .columns(['tenant', 'kind', 'created_at', 'id'])
        .execute();
      await db.schema
        .createTable('catalog_versions')
        .addColumn('document_id', 'text', (column) =>
          column.notNull().references('catalog_documents.id').onDelete('cascade'),
        )
        .addColumn('version', 'integer', (column) => column.notNull())
        .addColumn('at', 'text', (column) => column.notNull())
        .addColumn('body', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('catalog_versions_key', ['document_id', 'version'])
        .execute();
    },
  },
  '0014_named_workspaces': {
    async up(db: Kysely<unknown>): Promise<void> {
      // Until now every workspace was made by us.
      await db.schema
        .alterTable('sessions')
        .addColumn('owns_workspace', 'integer', (column) => column.notNull().defaultTo(1))
        .execute();
    },
  },
  '0015_session_resource': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .alterTable('sessions')
        .addColumn('active_ms', 'bigint', (column) => column.notNull().defaultTo(0))
        .execute();
      await db.schema.alterTable('sessions').addColumn('archived_at', 'text').execute();
      await db.schema.alterTable('catalog_documents').addColumn('agent_id', 'text').execute();
      await db.schema
        .alterTable('catalog_documents')
        .addColumn('agent_version', 'integer')
        .execute();
      await db.schema.alterTable('catalog_documents').addColumn('environment_id', 'text').execute();
      await db.schema
        .createIndex('catalog_documents_of_agent')
        .on('catalog_documents')
        .columns(['tenant', 'agent_id', 'created_at', 'id'])
        .execute();
      await db.schema
        .createIndex('catalog_documents_of_environment')
        .on('catalog_documents')
        .columns(['tenant', 'environment_id', 'created_at', 'id'])
        .execute();
    },
  },
  '0017_event_queries': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema.alterTable('events').addColumn('event_id', 'text').execute();
      await db.schema
        .createIndex('events_by_type')
        .on('events')
        .columns(['session_id', 'type', 'number'])
        .execute();
      await db.schema
        .createIndex('events_by_id')
        .on('events')
        .columns(['session_id', 'event_id'])
        .execute();
      // A few records of each turn. The condition must stand in a query as it stands here for the index to be used.
      await sql`
        create index events_of_turns on events (session_id, turn_id, number)
        where type in ('session.status_running', 'session.status_idle', 'session.error')`.execute(
        db,
      );
      await db.schema
        .createTable('requests')
        .addColumn('session_id', 'text', (column) =>
          column.notNull().references('sessions.id').onDelete('cascade'),
        )
        .addColumn('key', 'text', (column) => column.notNull())
        .addColumn('digest', 'text', (column) => column.notNull())
        .addColumn('event_ids', 'text', (column) => column.notNull())
        .addColumn('at', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('requests_key', ['session_id', 'key'])
        .execute();
      await db.schema
        .createIndex('requests_at')
        .on('requests')
        .columns(['session_id', 'at'])
        .execute();
    },
  },
  '0018_given_prompts': {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema.alterTable('open_turns').addColumn('given', 'text').execute();
    },
  },
};
