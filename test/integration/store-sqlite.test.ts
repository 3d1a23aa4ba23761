import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Kysely } from 'kysely';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { migrate } from '../../src/store/sql/migrate.ts';
import { MIGRATIONS } from '../../src/store/sql/migrations.ts';
import { NodeSqliteDialect } from '../../src/store/sql/node-sqlite-dialect.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import type { Database } from '../../src/store/sql/schema.ts';
import { storageError } from '../../src/store/sql/sqlite-errors.ts';
import { SqlSessionStore } from '../../src/store/sql/sql-session-store.ts';
import { anAgent, anEnvironment } from '../conformance/catalog-store.ts';
import { aRecord, aSession, AT, failsWith, someRecords } from '../conformance/session-samples.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roundhouse-sqlite-'));
  path = join(folder, 'roundhouse.db');
  return () => rm(folder, { recursive: true, force: true });
});

/** Starts a fixture on `path`; it is gone at the end of the test, whatever happens. */
function start(fixture: string): ChildProcessByStdio<Writable, Readable, null> {
  const file = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

/** The first line that a fixture says. */
async function firstLine(child: ChildProcessByStdio<Writable, Readable, null>): Promise<string> {
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) return line;
  return '';
}

async function kill(child: ChildProcessByStdio<Writable, Readable, null>): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Opens, hands over and closes again. */
async function withStore<T>(use: (store: SqlSessionStore) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ path });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** The names of the migrations that the database has seen. */
function applied(): unknown[] {
  const database = new DatabaseSync(path);
  const rows = database.prepare('select name from kysely_migration').all();
  database.close();
  return rows.map(({ name }) => name);
}

/** A store on a connection that the test can spoil. */
async function spoilable(): Promise<{ store: SqlSessionStore; database: DatabaseSync }> {
  const database = new DatabaseSync(path, { timeout: 0 });
  database.exec('pragma journal_mode = wal');
  const db = new Kysely<Database>({ dialect: new NodeSqliteDialect(database) });
  await migrate(db, path);
  const store = new SqlSessionStore({
    db,
    mapError: (error) => storageError('The store failed', error),
    noteDamage: () => {},
    release: async () => {},
  });
  onTestFinished(() => store.close());
  return { store, database };
}

describe('a writer that is killed', () => {
  it('has lost nothing that was acknowledged, and kept nothing twice or in part', async () => {
    const events = [0];
    const entries: string[] = [];
    for (const killAfter of [1, 60, 300]) {
      const child = start('store-writer.ts');
      const ended = once(child, 'exit');
      let heard = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const [what, value] = line.split(' ');
        if (what === 'event') events.push(Number(value));
        if (what === 'entry') entries.push(value ?? '');
        heard += 1;
        // Every line that was said before the death is still read: it stands in the pipe.
        if (heard === killAfter) child.kill('SIGKILL');
      }
      await ended;
      expect(child.signalCode).toBe('SIGKILL');

      await withStore(async (store) => {
        const session = await store.findSession('key-a', 'written');
        const id = session?.id ?? '';
        const records = await store.readEvents(id, 0, 10_000);
        const acknowledged = events.at(-1) ?? 0;
        expect(records).toEqual(someRecords(id, 1, records.length));
        expect(records.length).toBeGreaterThanOrEqual(acknowledged);
        // One append can have been kept without its answer: all of it, with its change of the row.
        expect(records.length - acknowledged).toBeLessThanOrEqual(3);
        expect(session?.turnCount ?? 0).toBe(records.length);
        const key = { agentSessionId: session?.agentSessionId ?? '', subpath: '' };
        const uuids = (await store.transcripts.load(key)).map(({ uuid }) => uuid);
        expect(new Set(uuids).size).toBe(uuids.length);
        expect(uuids).toEqual(expect.arrayContaining(entries));
      });
    }
    expect(events.length).toBeGreaterThan(150);
  });
});

describe('the host lock', () => {
  it('refuses a second host, and says who holds the database', async () => {
    const holder = start('store-holder.ts');
    expect(await firstLine(holder)).toBe('open');
    await expect(openSqliteStore({ path })).rejects.toThrow(
      new RegExp(`${path} is in use by another host \\(process ${holder.pid} on .*Stop that one`),
    );
    const second = start('store-holder.ts');
    expect(await firstLine(second)).toContain(`process ${holder.pid} on`);
  });

  it('is free at once when its holder was killed', async () => {
    const holder = start('store-holder.ts');
    expect(await firstLine(holder)).toBe('open');
    await kill(holder);
    await withStore(async (store) => {
      await expect(store.lastEventNumber('sesn_none')).resolves.toBe(0);
    });
  });

  it('holds within a process too, also by another way to the same file', async () => {
    const store = await openSqliteStore({ path });
    await expect(openSqliteStore({ path })).rejects.toEqual(failsWith('storage_failed'));
    await expect(
      openSqliteStore({
        path: join(folder, '..', folder.split('/').at(-1) ?? '', 'roundhouse.db'),
      }),
    ).rejects.toThrow('in use by another host');
    // The refusals have taken nothing away from the holder.
    const child = start('store-holder.ts');
    expect(await firstLine(child)).toContain(`process ${process.pid} on`);
    await store.close();
    await withStore(async (again) => {
      await expect(again.getSession('x')).resolves.toBeUndefined();
    });
  });

  it('lets others read the database meanwhile', async () => {
    await withStore(async (store) => {
      const { id } = await store.createSession(aSession());
      const reader = new DatabaseSync(path, { readOnly: true });
      expect(reader.prepare('select id from sessions').all()).toMatchObject([{ id }]);
      reader.close();
    });
  });
});

describe('opening', () => {
  it('makes private folders and files', async () => {
    path = join(folder, 'a', 'b', 'store.db');
    await withStore(async (store) => {
      await store.createSession(aSession());
      const modes = await Promise.all(
        ['a', 'a/b', 'a/b/store.db', 'a/b/store.db-wal', 'a/b/store.db.lock'].map(
          async (name) => (await stat(join(folder, name))).mode & 0o777,
        ),
      );
      expect(modes).toEqual([0o700, 0o700, 0o600, 0o600, 0o600]);
    });
  });

  it('lets many openers of a new place race, and exactly one win', async () => {
    path = join(folder, 'new', 'place', 'store.db');
    const openers = Array.from({ length: 4 }, () => start('store-holder.ts'));
    const said = await Promise.all(openers.map(firstLine));
    expect(said.filter((line) => line === 'open')).toHaveLength(1);
    expect(said.filter((line) => line.includes('is in use by another host'))).toHaveLength(3);
  });

  it.each([
    ['normal', 1],
    ['full', 2],
  ] as const)(
    'sets synchronous %s, and the pragmas that go with it',
    async (synchronous, level) => {
      const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
      onTestFinished(() => exec.mockRestore());
      const store = await openSqliteStore({ path, synchronous });
      // The only database on `path` in this process; its pragmas can be seen on its own connection alone.
      const database = exec.mock.contexts
        .filter((each) => each instanceof DatabaseSync)
        .find((each) => each.location() === path);
      const pragma = (name: string) =>
        Object.values(database?.prepare(`pragma ${name}`).get() ?? {});
      expect(pragma('journal_mode')).toEqual(['wal']);
      expect(pragma('synchronous')).toEqual([level]);
      expect(pragma('foreign_keys')).toEqual([1]);
      expect(pragma('busy_timeout')).toEqual([1000]);
      await store.close();
    },
  );

  it('refuses a file that is not a database, and leaves it as it is', async () => {
    for (const text of ['short', 'This is a letter. '.repeat(1000)]) {
      await writeFile(path, text);
      await expect(openSqliteStore({ path })).rejects.toThrow(
        `The database ${path} could not be opened: the file is not a database. Choose another file, or restore a backup.`,
      );
      expect(await readFile(path, 'utf8')).toBe(text);
    }
  });

  it("refuses another program's database", async () => {
    const other = new DatabaseSync(path);
    other.exec('create table invoices (id integer)');
    other.close();
    await expect(openSqliteStore({ path })).rejects.toThrow(
      'belongs to another program: it holds a table invoices',
    );
  });

  it('refuses a path that leads through a file, and one that is a folder', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(openSqliteStore({ path: join(folder, 'file', 'x.db') })).rejects.toThrow(
      /could not be opened: a part of the path is a file/,
    );
    await mkdir(path);
    await expect(openSqliteStore({ path })).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining('the file cannot be opened'),
    });
  });

  it.runIf(process.platform === 'linux')(
    'refuses a place where no folder can be made',
    async () => {
      // The folder for which Node's recursive `mkdir` never returns; only Linux has it.
      await expect(openSqliteStore({ path: '/proc/none/x.db' })).rejects.toThrow(
        'the folder cannot be made there',
      );
    },
  );

  it('refuses a folder without the right to write', async ({ skip }) => {
    skip(process.getuid?.() === 0, 'no mode keeps root from writing');
    await chmod(folder, 0o500);
    await expect(openSqliteStore({ path })).rejects.toThrow('permission denied');
    await chmod(folder, 0o700);
  });
});

describe('migrations', () => {
  it('run once, however often the store is opened', async () => {
    for (let opening = 0; opening < 3; opening += 1) {
      await withStore((store) => store.createSession(aSession()));
    }
    expect(applied()).toEqual(Object.keys(MIGRATIONS));
    await withStore(async (store) => {
      expect((await store.listSessions({ limit: 10 })).sessions).toHaveLength(3);
    });
  });

  it('leave the schema as it was when one fails', async () => {
    const db = new Kysely<Database>({ dialect: new NodeSqliteDialect(new DatabaseSync(path)) });
    const broken = {
      ...MIGRATIONS,
      '9999_broken': {
        up: async (trx: Kysely<unknown>) => {
          await trx.schema.createTable('half').addColumn('id', 'text').execute();
          await trx.schema.dropTable('not_there').execute();
        },
      },
    };
    await expect(migrate(db, path, broken)).rejects.toThrow('no such table: not_there');
    await db.destroy();
    expect(applied()).toEqual([]);
    await withStore((store) => store.createSession(aSession()));
    expect(applied()).toEqual(Object.keys(MIGRATIONS));
  });

  it.each(Object.keys(MIGRATIONS).slice(0, -1))(
    'bring a database along that was last opened by a version that ended with %s',
    async (last) => {
      const names = Object.keys(MIGRATIONS);
      const until = names.slice(0, names.indexOf(last) + 1);
      const db = new Kysely<Database>({
        dialect: new NodeSqliteDialect(new DatabaseSync(path)),
      });
      const earlier = Object.entries(MIGRATIONS).filter(([name]) => until.includes(name));
      await migrate(db, path, Object.fromEntries(earlier));
      await db.destroy();
      expect(applied()).toEqual(until);
      await withStore((store) => store.createSession(aSession()));
      expect(applied()).toEqual(names);
    },
  );

  it('bring a database with events along, count what is there, and give its sessions no limits', async () => {
    const { '0001_sessions': first } = MIGRATIONS;
    if (first === undefined) throw new Error('The first migration is gone.');
    const database = new DatabaseSync(path);
    const db = new Kysely<Database>({ dialect: new NodeSqliteDialect(database) });
    await migrate(db, path, { '0001_sessions': first });
    database.exec(`insert into sessions values ('sesn_1', 'key-a', 'old', 'agent-1', '{}', '/w', 'named', null,
      '{}', 2, '${AT}', '${AT}', 'host-1', 1, 4)`);
    const insert = database.prepare(
      `insert into events values ('sesn_1', ?, ?, '${AT}', 'agent.message', ?, '{}')`,
    );
    const body = JSON.stringify(aRecord('sesn_1', 1, { text: 'ü' }).body);
    for (const [index, turnId] of ['turn_1', 'turn_1', 'turn_2', 'turn_2'].entries())
      insert.run(index + 1, turnId, body);
    await db.destroy();
    await withStore(async (store) => {
      expect((await store.getSession('sesn_1'))?.limits).toEqual({});
      const bytes = Buffer.byteLength(body) + 2;
      expect(await store.trimEvents('sesn_1', { maxBytes: 4 * bytes }, 10)).toMatchObject({
        removed: 0,
      });
      expect(await store.trimEvents('sesn_1', { maxBytes: 4 * bytes - 1 }, 10)).toMatchObject({
        removed: 1,
      });
      expect((await store.readEvents('sesn_1', 0, 10)).map(({ number }) => number)).toEqual([
        2, 3, 4,
      ]);
      await store.append('sesn_1', 1, [aRecord('sesn_1', 5)]);
      // Every workspace of that time was made by us, and goes with its session.
      expect((await store.getSession('sesn_1'))?.ownsWorkspace).toBe(true);
    });
    expect(applied()).toEqual(Object.keys(MIGRATIONS));
  });

  it('refuse a schema of a newer version, each time, and change nothing', async () => {
    await withStore((store) => store.createSession(aSession()));
    const database = new DatabaseSync(path);
    database.exec("insert into kysely_migration values ('0999_future', '2030-01-01')");
    database.close();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(openSqliteStore({ path })).rejects.toThrow(
        `changed by a newer version of Roundhouse: its schema is at 0999_future, this version knows ${Object.keys(MIGRATIONS).at(-1)}`,
      );
    }
    expect(applied()).toEqual([...Object.keys(MIGRATIONS), '0999_future']);
  });
});

const withSecret = (value: string) =>
  anEnvironment({ variables: { TOKEN: { value, secret: true } } });

it('keeps earlier versions of agents, and none of environments, whose secrets stand in them', async () => {
  await withStore(async ({ catalog }) => {
    const agent = { kind: 'agent', tenant: 'key-a', id: 'agent_1' } as const;
    const environment = { kind: 'environment', tenant: 'key-a', id: 'env_1' } as const;
    await catalog.create(agent, anAgent({ system: 'first' }), AT);
    await catalog.replace(agent, 1, anAgent({ system: 'second' }), AT);
    await catalog.create(environment, withSecret('first'), AT);
    await catalog.replace(environment, 1, withSecret('second'), AT);
    await catalog.create({ ...environment, id: 'env_2' }, withSecret('third'), AT);
    await catalog.remove({ ...environment, id: 'env_2' });
  });
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare('select document_id, version from catalog_versions').all();
  database.close();
  expect(rows.map((row) => [row['document_id'], row['version']])).toEqual([
    ['agent_1', 1],
    ['agent_1', 2],
    ['env_1', 2],
  ]);
});

describe('a database that fails', () => {
  it('has kept nothing of an append when the disk is full, and goes on when there is room', async () => {
    const { store, database } = await spoilable();
    const { id } = await store.createSession(aSession());
    await store.append(id, 1, someRecords(id, 1, 1));
    database.exec('pragma max_page_count = 30');
    const large = [aRecord(id, 2), aRecord(id, 3, { text: 'x'.repeat(1024 * 1024) })];
    await expect(store.append(id, 1, large, { turnCount: 1 })).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining('the disk is full. Free space'),
      cause: expect.objectContaining({ code: 'ERR_SQLITE_ERROR' }),
    });
    expect(await store.readEvents(id, 0, 10)).toEqual(someRecords(id, 1, 1));
    expect(await store.getSession(id)).toMatchObject({ turnCount: 0 });
    database.exec('pragma max_page_count = 100000');
    await store.append(id, 1, large, { turnCount: 1 });
    expect(await store.readEvents(id, 1, 10)).toEqual(large);
  });

  it('refuses a write while another process writes, and takes it afterwards', async () => {
    const { store } = await spoilable();
    const { id } = await store.createSession(aSession());
    const other = new DatabaseSync(path);
    other.exec('begin immediate');
    await expect(store.append(id, 1, someRecords(id, 1, 2))).rejects.toThrow(
      'another process is writing to the database',
    );
    other.close();
    await store.append(id, 1, someRecords(id, 1, 2));
    expect(await store.lastEventNumber(id)).toBe(2);
  });

  it('says that a stored value is damaged', async () => {
    const { store, database } = await spoilable();
    const { id } = await store.createSession(aSession());
    await store.append(id, 1, someRecords(id, 1, 2));
    database.exec("update events set body = '{broken' where number = 2");
    await expect(store.readEvents(id, 0, 10)).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining(`The event 2 of session ${id} is damaged in the store`),
    });
    expect(await store.readEvents(id, 0, 1)).toHaveLength(1);
  });
});
