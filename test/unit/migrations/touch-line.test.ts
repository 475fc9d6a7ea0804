import { mkdir, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { readMigrations } from '../../../src/migrations/read.ts'
import { splitStatements } from '../../../src/migrations/split.ts'
import { readTouch, touchLine } from '../../../src/migrations/touch.ts'
import { touchSql } from '../../../src/sql/touch-sql.ts'
import { emptyDirectory } from '../../stores/migrations/databases.ts'

const dialects = ['postgres', 'sqlite'] as const

describe('a line of a migration that touches', () => {
  it.each([
    ['-- driftline: touch todos', { table: 'todos' }],
    ['--driftline:touch "todos"; ', { table: 'todos' }],
    ['-- Driftline : TOUCH todos\r', { table: 'todos' }],
    ['-- driftline: touch where', { table: 'where' }],
    ['-- driftline: touch todos WHERE title IS NULL', { table: 'todos', condition: 'title IS NULL' }],
    [`-- driftline: touch todos where notes = 'a -- ;b' ;`, { table: 'todos', condition: `notes = 'a -- ;b'` }],
    [touchLine('a_1'), { table: 'a_1' }],
  ])('%j is understood', (line, touch) => {
    expect(readTouch(line)).toEqual(touch)
  })

  it.each([
    '-- a remark on driftline',
    "-- driftline's own tables",
    '-- Do not touch todos',
    '-- Does touch all rows',
    '-- touches todos',
    '/* -- driftline: touch todos */',
    '--',
  ])('%j is for people', (line) => {
    expect(readTouch(line)).toBeUndefined()
  })

  it.each([
    '-- driftline: tuch todos',
    '-- driftline: touch',
    '-- driftline:',
    '-- driftline: touch Todos',
    '-- driftline: touch "todos',
    '-- driftline: touch todos, lists',
    '-- driftline: touch public.todos',
    '-- driftline: touch todos IF title IS NULL',
    '-- driftline: touch todos WHERE',
    "-- driftline: touch('todos')",
    "-- touch('todos')",
    '-- driftline touch todos',
    '-- drifline: touch todos',
    '-- dirftline:touch todos',
    '/* driftline: touch todos */',
  ])('%j is refused', (line) => {
    expect(() => readTouch(line)).toThrow(/^-- .* is not understood: write -- driftline: touch todos, /)
    expect(() => splitStatements(`a;\n${line}\n`, 'sqlite')).toThrow(/^line 2: -- .* is not understood: /)
  })

  it('is refused for a table of driftline, and within a statement', () => {
    expect(() => splitStatements('-- driftline: touch driftline_scopes', 'postgres')).toThrow(
      new TypeError(
        "line 1: -- driftline: touch driftline_scopes: driftline_scopes is driftline's own, and no phone has it",
      ),
    )
    expect(() => splitStatements('a\n\n-- driftline: touch todos\n', 'postgres')).toThrow(
      new TypeError('the touch in line 3 stands within a statement: end that with ; before it'),
    )
  })

  it.each(dialects)('stands for its statements, in its place (%s)', (dialect) => {
    const [todos, lists] = ['todos', 'lists'].map((table) => touchSql(dialect, { table })) as [string[], string[]]
    const lock = dialect === 'postgres' ? ['LOCK TABLE driftline_scopes IN EXCLUSIVE MODE'] : []
    const sql = 'a; -- driftline: touch todos\nb;\n-- driftline: touch lists'
    expect(splitStatements(sql, dialect)).toEqual([...lock, 'a', ...todos, 'b', ...lists])
    expect(splitStatements('-- driftline: touch lists', dialect)).toEqual([...lock, ...lists])
    const made = 'CREATE TABLE driftline_scopes (n int)'
    expect(splitStatements(`${made};a;-- driftline: touch lists`, dialect)).toEqual([made, ...lock, 'a', ...lists])
  })
})

describe('readMigrations', () => {
  async function read(files: Readonly<Record<string, string>>) {
    const { directory, drop } = await emptyDirectory()
    try {
      await mkdir(new URL('sqlite', directory))
      for (const [name, sql] of Object.entries(files)) await writeFile(new URL(`sqlite/${name}.sql`, directory), sql)
      return await readMigrations('sqlite', directory)
    } finally {
      await drop()
    }
  }
  const init = 'CREATE TABLE driftline_scopes (n);CREATE TABLE "todos" (n); create table if not exists lists (n)'

  it.each([
    [
      { '0001_a': init, '0002_b': '\n-- driftline: touch todso' },
      '0002_b.sql: line 2 touches todso, which no migration has made by then: there are lists, todos',
    ],
    [
      { '0001_a': `-- driftline: touch todos\n;${init}` },
      '0001_a.sql: line 1 touches todos, which no migration has made by then: there is no table yet',
    ],
    [
      { '0001_a': init, '0002_b': '-- driftline: tuch todos' },
      '0002_b.sql: line 1: -- driftline: tuch todos is not understood: write -- driftline: touch todos, a line for each table, or -- driftline: touch todos WHERE title IS NULL',
    ],
  ])('refuses %j', async (files, message) => {
    await expect(read(files)).rejects.toThrow(new TypeError(`migrations/sqlite/${message}`))
  })

  it('knows tables by their last name, and those that are gone later', async () => {
    const migrations = await read({
      '0001_a': init,
      '0002_b': '-- driftline: touch todos\nALTER TABLE todos RENAME TO tasks;\n-- driftline: touch tasks',
      '0003_c': 'DROP TABLE tasks',
    })
    const touched = (table: string) => touchSql('sqlite', { table })
    expect(migrations.find(({ name }) => name === '0002_b')?.statements).toEqual([
      ...touched('todos'),
      'ALTER TABLE todos RENAME TO tasks',
      ...touched('tasks'),
    ])
  })
})
