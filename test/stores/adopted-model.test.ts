import Database from 'libsql'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/stores/store.ts'
import { type AppPhone, differences, openApp, openPhone, truthOf } from '../support/adopted-app.ts'
import { seededRandom } from '../support/random.ts'
import { inThisRun, openEmptyStore, type StoreName, type TestStore } from '../support/stores.ts'

/**
 * The app's own SQL as one more writer (ADOPT 7): random statements and transactions beside phones
 * that push, pull and sync all the while. At the end every phone holds what a SELECT says, nobody
 * has seen a row of a scope that is not theirs, and the app has never failed but by its own
 * constraints. `ADOPTED_RUNS` plays more histories, `SEED` one again.
 */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const runsOf: Partial<Record<StoreName, number>> = { 'libsql file': 4, postgres: 5, 'libsql http': 2, neon: 2 }
const stores = inThisRun(Object.keys(runsOf) as StoreName[])

type Random = () => number
const pickOf =
  (random: Random) =>
  <Item>(items: readonly Item[]): Item =>
    items[Math.floor(random() * items.length)] as Item

/** What a history is about. Ids are of this history alone: all share a database. */
interface World {
  readonly history: number
  readonly users: readonly string[]
  readonly teams: readonly number[]
  readonly tasks: readonly string[]
  readonly projects: readonly string[]
  readonly notes: readonly string[]
}

const idOf = (kind: number, history: number, n: number) =>
  `${String(kind).padStart(8, '0')}-0000-4000-8000-${String(history * 1000 + n).padStart(12, '0')}`
const upTo = (most: number) => Array.from({ length: most }, (_, n) => n)

function openWorld(history: number): World {
  return {
    history,
    users: upTo(3).map((n) => `u${history}-${n}`),
    teams: upTo(2).map((n) => history * 10 + n),
    tasks: upTo(6).map((n) => idOf(1, history, n)),
    projects: upTo(3).map((n) => idOf(2, history, n)),
    notes: upTo(4).map((n) => `note ${history} ${n}`),
  }
}

/** A transaction of the app: statements, and how it ends. One alone is no transaction. */
interface OwnWork {
  readonly statements: readonly string[]
  readonly end: 'COMMIT' | 'ROLLBACK'
  readonly pauseMs: number
}

function ownWork(random: Random, world: World, dialect: 'postgres' | 'sqlite'): OwnWork {
  const size = random() < 0.6 ? 1 : 2 + Math.floor(random() * 3)
  const some = upTo(size).flatMap(() => ownStatements(random, world, dialect))
  const statements =
    size > 1 && random() < 0.3 && !some.some((sql) => sql.startsWith('ALTER'))
      ? [some[0] as string, 'SAVEPOINT here', ...some.slice(1), 'ROLLBACK TO here']
      : some
  return {
    statements,
    end: size > 1 && random() < 0.25 ? 'ROLLBACK' : 'COMMIT',
    pauseMs: size > 1 && random() < 0.3 ? Math.floor(random() * 250) : 0,
  }
}

function ownStatements(random: Random, world: World, dialect: 'postgres' | 'sqlite'): string[] {
  const pick = pickOf(random)
  const text = (value: string | null) => (value === null ? 'NULL' : `'${value}'`)
  const [id, other, project, note] = [pick(world.tasks), pick(world.tasks), pick(world.projects), pick(world.notes)]
  const user = pick([...world.users, null])
  const title = `own ${Math.floor(random() * 1000)}`
  const mail = text(pick([`mail ${world.history} ${Math.floor(random() * 3)}`, null]))
  const isPostgres = dialect === 'postgres'
  const uuid = isPostgres ? '::uuid' : ''
  const now = isPostgres ? 'now()' : 'CURRENT_TIMESTAMP'
  const values = `('${id}', ${text(user)}, ${text(pick([project, null]))}${uuid}, ${text(pick([other, null]))}${uuid}, '${title}', ${mail})`
  const into = 'tasks (id, user_id, project_id, parent_id, title, email)'
  const mine = `id IN (${world.tasks.map(text).join(', ')})`
  const kinds: (() => string | string[])[] = [
    () => `INSERT INTO ${into} VALUES ${values}`,
    () =>
      `INSERT INTO ${into} VALUES ${values} ON CONFLICT (id) DO UPDATE SET title = excluded.title, user_id = excluded.user_id`,
    () => `INSERT INTO ${into} VALUES ${values} ON CONFLICT DO NOTHING`,
    () => `INSERT INTO ${into} VALUES ${values} ON CONFLICT (email) DO UPDATE SET title = excluded.title`,
    () => `UPDATE tasks SET title = '${title}' WHERE id = '${id}'`,
    () => `UPDATE tasks SET title = '${title}', position = position + 1, email = ${mail} WHERE id = '${id}'`,
    () => `UPDATE tasks SET secret = '${title}' WHERE id = '${id}'`,
    () => `UPDATE tasks SET user_id = ${text(user)} WHERE id = '${id}'`,
    () => `UPDATE tasks SET user_id = ${text(user)}, title = '${title}' WHERE ${mine}`,
    () => `UPDATE tasks SET project_id = ${text(pick([project, null]))}${uuid} WHERE id = '${id}'`,
    () => `UPDATE tasks SET id = '${other}' WHERE id = '${id}'`,
    () => `UPDATE projects SET id = '${pick(world.projects)}' WHERE id = '${project}'`,
    () => `DELETE FROM tasks WHERE id = '${id}'`,
    () => `DELETE FROM projects WHERE id = '${project}'`,
    () =>
      `INSERT INTO projects (id, user_id, name) VALUES ('${project}', ${text(user)}, '${title}') ON CONFLICT (id) DO UPDATE SET name = excluded.name, user_id = excluded.user_id`,
    () => `UPDATE projects SET user_id = ${text(user)} WHERE id = '${project}'`,
    () =>
      `INSERT INTO notes (key, team_id, body) VALUES ('${note}', ${pick(world.teams)}, '${title}') ON CONFLICT (key) DO UPDATE SET body = excluded.body, deleted_at = NULL`,
    () => `UPDATE notes SET deleted_at = ${now} WHERE key = '${note}'`,
    () => `UPDATE notes SET deleted_at = NULL WHERE key = '${note}'`,
    () => `UPDATE notes SET team_id = ${pick(world.teams)} WHERE key = '${note}'`,
    () => `DELETE FROM notes WHERE key = '${note}'`,
    () => [`DELETE FROM tasks WHERE id = '${id}'`, `INSERT INTO ${into} VALUES ${values}`],
  ]
  const rare: (() => string | string[])[] = isPostgres
    ? [
        () => 'TRUNCATE notes',
        () => 'TRUNCATE projects CASCADE',
        () =>
          `INSERT INTO notes (key, team_id) SELECT 'many ${world.history} ' || n, ${world.teams[0]} FROM generate_series(1, 10000) AS n ON CONFLICT (key) DO UPDATE SET body = notes.body || '.'`,
        () => `DELETE FROM notes WHERE key LIKE 'many ${world.history} %'`,
        () => 'ALTER TABLE tasks ALTER COLUMN position TYPE bigint',
        () => [
          'ALTER TABLE tasks RENAME COLUMN extra TO other',
          `UPDATE tasks SET other = '${title}' WHERE id = '${id}'`,
          'ALTER TABLE tasks RENAME COLUMN other TO extra',
        ],
        () => [
          'ALTER TABLE tasks DROP COLUMN secret',
          `UPDATE tasks SET title = '${title}' WHERE id = '${id}'`,
          `ALTER TABLE tasks ADD COLUMN secret text NOT NULL DEFAULT 'hidden'`,
        ],
      ]
    : [
        () =>
          `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000) INSERT INTO notes (key, team_id) SELECT 'many ${world.history} ' || n, ${world.teams[0]} FROM n WHERE true ON CONFLICT (key) DO UPDATE SET body = body || '.'`,
        () => `DELETE FROM notes WHERE key LIKE 'many ${world.history} %'`,
        () => [
          'ALTER TABLE tasks DROP COLUMN secret',
          `ALTER TABLE tasks ADD COLUMN secret TEXT NOT NULL DEFAULT 'hidden'`,
        ],
        () => [
          'ALTER TABLE tasks RENAME COLUMN extra TO other',
          `UPDATE tasks SET other = '${title}' WHERE id = '${id}'`,
          'ALTER TABLE tasks RENAME COLUMN other TO extra',
        ],
      ]
  const replacing: (() => string | string[])[] = isPostgres
    ? []
    : [
        () => `REPLACE INTO ${into} VALUES ${values}`,
        () => `UPDATE OR REPLACE tasks SET email = ${mail}, title = '${title}' WHERE id = '${id}'`,
        () => `UPDATE OR REPLACE tasks SET id = '${other}' WHERE id = '${id}'`,
        () => `REPLACE INTO notes (key, team_id, body) VALUES ('${note}', ${pick(world.teams)}, '${title}')`,
        () => `REPLACE INTO projects (id, user_id, name) VALUES ('${project}', ${text(user)}, '${title}')`,
      ]
  const chosen = random() < 0.03 ? pick(rare) : pick([...kinds, ...replacing])
  return [chosen()].flat()
}

/** Runs the app's work; gives what it was refused with. */
interface OwnSession {
  run(work: OwnWork): Promise<string | undefined>
  close(): Promise<void>
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function openOwn(opened: TestStore, name: StoreName): Promise<OwnSession> {
  if (name === 'postgres') {
    const client = new pg.Client({ connectionString: opened.url })
    await client.connect()
    return {
      async run({ statements, end, pauseMs }) {
        const isTransaction = statements.length > 1
        try {
          if (isTransaction) await client.query('BEGIN')
          for (const sql of statements) await client.query(sql)
          await pause(pauseMs)
          if (isTransaction) await client.query(end)
          return undefined
        } catch (error) {
          if (isTransaction) await client.query('ROLLBACK')
          const { code, message } = error as { code: string; message: string }
          return `${code} ${message}`
        }
      },
      close: () => client.end(),
    }
  }
  if (name === 'libsql file') {
    // The engine is the one of the store: two of them in one process lose each other's locks.
    const file = new Database(opened.url.slice('file:'.length), { timeout: 10_000 })
    file.exec('PRAGMA foreign_keys = on')
    return {
      async run({ statements, end, pauseMs }) {
        const isTransaction = statements.length > 1
        try {
          if (isTransaction) file.exec('BEGIN IMMEDIATE')
          for (const sql of statements) file.exec(sql)
          await pause(pauseMs)
          if (isTransaction) file.exec(end)
          return undefined
        } catch (error) {
          if (isTransaction && file.inTransaction) file.exec('ROLLBACK')
          return String((error as Error).message)
        }
      },
      close: async () => void file.close(),
    }
  }
  return {
    async run({ statements }) {
      // One batch is one transaction, which has no end of its own.
      const some = statements.filter((sql) => !/SAVEPOINT|ROLLBACK/.test(sql))
      try {
        await opened.store.batch(
          '',
          some.map((sql) => ({ sql, params: [] })),
        )
        return undefined
      } catch (error) {
        return `${(error as { code?: string }).code} ${(error as Error).message}`
      }
    },
    close: async () => {},
  }
}

/** What the app's own constraints say, and nothing of driftline's. */
const isOwnRefusal = (told: string): boolean =>
  !/driftline/.test(told) && /^23|constraint failed|SQLITE_CONSTRAINT|already exists|foreign key/i.test(told)

function phoneChanges(random: Random, world: World, phone: AppPhone): { changes: object[]; more: object } {
  const pick = pickOf(random)
  const scope = pick(phone.scopes)
  const isTeam = scope.startsWith('team:')
  const changes = upTo(1 + Math.floor(random() * 4)).map(() => {
    const table = isTeam ? 'notes' : pick(['tasks', 'tasks', 'tasks', 'projects'])
    const id = pick({ notes: world.notes, tasks: world.tasks, projects: world.projects }[table] as string[])
    const at = Date.now() * 1000 + Math.floor((random() - 0.5) * 4_000_000)
    const held = phone.rows.get(`${scope} ${table} ${id}`)
    const seen = held && random() < 0.2 ? { if: { at: held.at, by: held.by } } : {}
    const title = `phone ${Math.floor(random() * 1000)}`
    const base = { table, id, at, scope, ...seen }
    if (random() < 0.2) return { ...base, op: 'delete' }
    const name = { notes: 'body', tasks: 'title', projects: 'name' }[table] as string
    const more: Record<string, unknown> = table === 'tasks' ? { position: Math.floor(random() * 9) } : {}
    if (table === 'tasks' && random() < 0.4) more.project_id = pick([...world.projects, null])
    if (table === 'tasks' && random() < 0.3) more.parent_id = pick([...world.tasks, null])
    if (table === 'tasks' && random() < 0.3)
      more.email = pick([`mail ${world.history} ${Math.floor(random() * 3)}`, null])
    const row = { [name]: random() < 0.05 ? 'bad' : title, ...more }
    if (random() < 0.4) return { ...base, op: 'patch', row, ...(random() < 0.3 && { create: true }) }
    return { ...base, op: 'put', row }
  })
  return { changes, more: random() < 0.1 ? { atomic: true } : {} }
}

describe.each(stores)(`own SQL as one more writer, on %s (seed ${seed})`, (name) => {
  const steps = name === 'libsql file' || name === 'postgres' ? 40 : 10
  const numRuns = Number(process.env.ADOPTED_RUNS ?? runsOf[name])
  let opened: TestStore
  let own: OwnSession
  beforeAll(async () => {
    opened = await openEmptyStore(name)
    await openApp(opened.store)
    own = await openOwn(opened, name)
  })
  afterAll(async () => {
    await own.close()
    await opened.close()
  })

  async function play(history: number, store: Store) {
    const world = openWorld(history)
    const { name: dialect } = store.dialect
    const teams = world.teams.map((team) => `team:${team}`)
    const scopes = [...world.users, ...teams]
    const [first = '', second = ''] = world.users
    const phones = [[first], [first, teams[0] ?? ''], [second, ...teams], scopes].map((some) => openPhone(store, some))
    const log: string[] = []
    const broken: string[] = []
    const app = async () => {
      const random = seededRandom(seed + history * 100)
      for (let step = 0; step < steps; step++) {
        const work = ownWork(random, world, dialect)
        const told = await own.run(work)
        log.push(`own: ${work.statements.join('; ')}; ${work.end}${told ? ` → ${told}` : ''}`)
        if (told && !isOwnRefusal(told)) broken.push(`P18 ${work.statements.join('; ')}: ${told}`)
        if (random() < 0.5) await pause(random() * 20)
      }
    }
    const phoning = phones.map(async (phone, place) => {
      const random = seededRandom(seed + history * 100 + place + 1)
      for (let step = 0; step < steps / 1.6; step++) {
        const { changes, more } = phoneChanges(random, world, phone)
        const way = random()
        try {
          const told = way < 0.3 ? [] : way < 0.7 ? await phone.push(changes, more) : await phone.sync(changes)
          if (way >= 0.3) log.push(`${phone.client}: ${JSON.stringify(changes)} ${JSON.stringify(more)} → ${told}`)
          if (way < 0.3) await phone.pull(1 + Math.floor(random() * 20))
        } catch (fault) {
          const { code, message } = fault as { code?: string; message: string }
          log.push(`${phone.client}: ${JSON.stringify(changes)} ${JSON.stringify(more)} failed: ${code} ${message}`)
          if (!/atomic/.test(JSON.stringify(more)) || code === undefined)
            broken.push(`${phone.client}: ${code} ${message}`)
        }
      }
    })
    await Promise.all([app(), ...phoning])
    const truth = await truthOf(store, scopes)
    const fresh = openPhone(store, scopes)
    for (const phone of [...phones, fresh]) {
      await phone.pull()
      const theirs = new Map([...truth].filter(([key]) => phone.scopes.some((scope) => key.startsWith(`${scope} `))))
      broken.push(...differences(phone, theirs))
    }
    if (broken.length === 0) return
    const ids = broken.flatMap((line) => line.match(/[0-9a-f-]{36}|note \d+ \d+/g) ?? [])
    const about = log.filter((line) => ids.some((id) => line.includes(id)) || /ALTER|TRUNCATE/.test(line))
    expect.fail(
      `History ${history} (SEED=${seed}):\n${broken.slice(0, 8).join('\n')}\n\n${about.slice(-40).join('\n')}`,
    )
  }

  it('P17 P18 P20 P22 every phone holds at the end what a SELECT says', async () => {
    const only = process.env.ADOPTED_ONLY
    for (let history = 1; history <= numRuns; history++)
      if (only === undefined || Number(only) === history) await play(history, opened.store)
  }, 3_600_000)
})
