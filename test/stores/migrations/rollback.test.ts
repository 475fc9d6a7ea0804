import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { bundleMigrations } from '../../../src/migrations/bundle.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { temporaryFolder } from '../../support/temporary.ts'

async function inFolder<Result>(sql: string, work: (directory: URL) => Promise<Result>): Promise<Result> {
  const { folder, drop } = await temporaryFolder()
  for (const dialect of ['sqlite', 'postgres']) {
    await mkdir(join(folder, dialect))
    await writeFile(join(folder, dialect, '0001_own.sql'), sql)
  }
  try {
    return await work(pathToFileURL(`${folder}/`))
  } finally {
    await drop()
  }
}

const trigger = (body: string) => `CREATE TRIGGER t BEFORE INSERT ON todos BEGIN ${body}; END;`

it.each([
  [trigger("SELECT RAISE(ROLLBACK, 'no')"), 'RAISE(ROLLBACK'],
  [trigger("SELECT raise /* why */ (\n  rollback, 'no')"), 'raise ( rollback'],
  [`${trigger("SELECT RAISE(ABORT, 'no')")}\n${trigger("SELECT RAISE(ROLLBACK, 'no')")}`, 'RAISE(ROLLBACK'],
  [trigger('INSERT OR ROLLBACK INTO log VALUES (1)'), 'INSERT OR ROLLBACK'],
  [trigger('UPDATE OR ROLLBACK log SET a = 1'), 'UPDATE OR ROLLBACK'],
  ['CREATE TABLE t (a TEXT UNIQUE ON CONFLICT ROLLBACK) STRICT;', 'ON CONFLICT ROLLBACK'],
])(
  'P12 a migration of SQLite that would end a Durable Object is refused before it is bundled or applied: %s',
  async (sql, what) => {
    const sentence = new RegExp(
      `^migrations/sqlite/0001_own\\.sql: ${what.replace(/[()]/g, '\\$&')} in "CREATE .*write ABORT instead`,
    )
    await inFolder(sql, async (directory) => {
      await expect(readMigrations('sqlite', directory)).rejects.toThrow(sentence)
      await expect(bundleMigrations(directory)).rejects.toThrow(sentence)
    })
  },
)

it.each([
  trigger("SELECT RAISE(ABORT, 'ROLLBACK'), RAISE(ABORT, 'no RAISE(ROLLBACK) here')"),
  trigger('SELECT 1 /* RAISE(ROLLBACK) */ -- ON CONFLICT ROLLBACK\n'),
  'CREATE TABLE "INSERT OR ROLLBACK" (rollback TEXT, "ON CONFLICT ROLLBACK" TEXT) STRICT;',
])('the word alone is none: %s', async (sql) => {
  await inFolder(sql, async (directory) => {
    expect(await readMigrations('sqlite', directory)).toHaveLength(3)
  })
})

it('Postgres has no such thing', async () => {
  const sql =
    'CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE $a$INSERT OR ROLLBACK$a$; END $$;'
  await inFolder(sql, async (directory) => {
    expect(await readMigrations('postgres', directory)).toHaveLength(3)
  })
})
