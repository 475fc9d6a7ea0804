import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cells, Statement } from '../../src/sql/statement.ts'
import type { Store } from '../../src/stores/store.ts'
import { type AppPhone, differences, openApp, openPhone, truthOf } from '../support/adopted-app.ts'
import { seededRandom } from '../support/random.ts'
import { openEmptyStore, type TestStore } from '../support/stores.ts'

/**
 * The app's transaction and a push, each paused at every statement of the push. What pauses is an
 * advisory lock between two statements of the push's own transaction, so the order is given by
 * locks, never by sleeping. `ADOPTED_RACES` runs more of the orders than 60 drawn by `SEED`.
 */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const runs = Number(process.env.ADOPTED_RACES ?? 60)

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const [firstGate, secondGate] = [4711, 4712]

/** Pauses its first batch that locks a scope before the statements at such places. */
function pausingStore(store: Store, gates: ReadonlyMap<number, number>) {
  let isOver = false
  let sent = 0
  let length = 0
  const pauseAt = (gate: number): Statement[] => [
    { sql: `SELECT set_config('test.wait', current_setting('lock_timeout'), true)`, params: [] },
    { sql: `SELECT set_config('lock_timeout', '0', true)`, params: [] },
    { sql: `SELECT pg_advisory_xact_lock(${gate})`, params: [] },
    { sql: `SELECT set_config('lock_timeout', current_setting('test.wait'), true)`, params: [] },
  ]
  return {
    get isOver() {
      return isOver
    },
    get length() {
      return length
    },
    store: {
      ...store,
      async batch(scope: string, statements: readonly Statement[]): Promise<Cells[][]> {
        if (!statements.some(({ takes }) => takes !== undefined) || sent++ > 0) return store.batch(scope, statements)
        length = statements.length
        const own: number[] = []
        const all: Statement[] = []
        for (const [place, statement] of [...statements, undefined].entries()) {
          for (const [gate, at] of gates) if (Math.min(at, statements.length) === place) all.push(...pauseAt(gate))
          if (!statement) continue
          own.push(all.length)
          all.push(statement)
        }
        try {
          const results = await store.batch(scope, all)
          return own.map((at) => results[at] ?? [])
        } finally {
          isOver = true
        }
      },
    } satisfies Store,
  }
}

describe(`the app and a push in every order, on Postgres (seed ${seed})`, () => {
  let opened: TestStore
  let app: pg.Client
  let watcher: pg.Client
  let gate: pg.Client
  const clients: pg.Client[] = []
  const connect = async () => {
    const client = new pg.Client({ connectionString: opened.url })
    client.on('error', () => {})
    await client.connect()
    clients.push(client)
    return client
  }
  beforeAll(async () => {
    opened = await openEmptyStore('postgres')
    await openApp(opened.store)
    app = await connect()
    watcher = await connect()
    gate = await connect()
  })
  afterAll(async () => {
    for (const client of clients) await client.end()
    await opened.close()
  })

  const pidOf = (client: pg.Client) => (client as unknown as { processID: number }).processID
  /** Whether a session waits for a lock, and which advisory locks are waited for. */
  async function waiting(): Promise<{ app: boolean; gates: readonly number[] }> {
    const { rows } = await watcher.query(
      'SELECT pid, locktype, objid::bigint::int AS gate FROM pg_locks WHERE NOT granted',
    )
    return {
      app: rows.some(({ pid }) => pid === pidOf(app)),
      gates: rows.filter(({ locktype }) => locktype === 'advisory').map((row) => row.gate),
    }
  }
  const shut = async () =>
    void (await gate.query(`SELECT pg_advisory_lock(${firstGate}), pg_advisory_lock(${secondGate})`))
  const open = (which: number) => gate.query(`SELECT pg_advisory_unlock(${which})`)

  let numbers = 0
  const next = () => idOf(++numbers)
  let people = 0
  const someone = () => `racer${++people}`

  async function expectAll(scopes: readonly string[], phones: readonly AppPhone[]) {
    const truth = await truthOf(opened.store, scopes)
    for (const phone of phones) {
      await phone.pull()
      const own = new Map([...truth].filter(([key]) => phone.scopes.some((scope) => key.startsWith(`${scope} `))))
      expect(differences(phone, own)).toEqual([])
    }
  }

  interface Stage {
    readonly who: string
    readonly other: string
    readonly task: string
    readonly project: string
    /** A row that is not there yet. */
    readonly fresh: string
  }

  /** What the app does in a transaction; the title that is to stand in the task whatever comes of an older push. */
  const acts: Record<string, { readonly sql: (stage: Stage) => readonly string[]; readonly title?: string | null }> = {
    'an UPDATE': { sql: ({ task }) => [`UPDATE tasks SET title = 'own' WHERE id = '${task}'`], title: 'own' },
    'an UPDATE of what phones do not know': {
      sql: ({ task }) => [`UPDATE tasks SET secret = 'other' WHERE id = '${task}'`],
      title: 'pushed',
    },
    'an UPDATE that is rolled back': {
      sql: ({ task }) => [`UPDATE tasks SET title = 'own' WHERE id = '${task}'`, 'ROLLBACK'],
      title: 'pushed',
    },
    'an UPDATE back to a savepoint': {
      sql: ({ task }) => [
        'SAVEPOINT here',
        `UPDATE tasks SET title = 'own' WHERE id = '${task}'`,
        'ROLLBACK TO here',
        `UPDATE tasks SET secret = 'other' WHERE id = '${task}'`,
      ],
      title: 'pushed',
    },
    'a DELETE': { sql: ({ task }) => [`DELETE FROM tasks WHERE id = '${task}'`], title: null },
    'a DELETE of the parent, which cascades': {
      sql: ({ project }) => [`DELETE FROM projects WHERE id = '${project}'`],
      title: null,
    },
    'a move to another scope': {
      sql: ({ task, other }) => [`UPDATE tasks SET user_id = '${other}' WHERE id = '${task}'`],
    },
    'a move there and back': {
      sql: ({ task, other, who }) => [
        `UPDATE tasks SET user_id = '${other}' WHERE id = '${task}'`,
        `UPDATE tasks SET user_id = '${who}' WHERE id = '${task}'`,
      ],
    },
    'a new key': { sql: ({ task, fresh }) => [`UPDATE tasks SET id = '${fresh}' WHERE id = '${task}'`] },
    'a DELETE and an INSERT of the same id': {
      sql: ({ task, who }) => [
        `DELETE FROM tasks WHERE id = '${task}'`,
        `INSERT INTO tasks (id, user_id, title) VALUES ('${task}', '${who}', 'own')`,
      ],
      title: 'own',
    },
    'an INSERT': {
      sql: ({ fresh, who }) => [`INSERT INTO tasks (id, user_id, title) VALUES ('${fresh}', '${who}', 'own')`],
    },
    'an INSERT into another scope': {
      sql: ({ fresh, other }) => [`INSERT INTO tasks (id, user_id, title) VALUES ('${fresh}', '${other}', 'own')`],
    },
    'an INSERT of a row with the same unique value': {
      sql: ({ who, task }) => [`INSERT INTO tasks (user_id, title, email) VALUES ('${who}', 'own', 'mail ${task}')`],
    },
  }

  const minute = 60_000_000
  const pushes: Record<string, (stage: Stage, at: number) => readonly object[]> = {
    'a put': ({ task, project }, at) => [
      { table: 'tasks', op: 'put', id: task, at, row: { title: 'pushed', project_id: project } },
    ],
    'a patch': ({ task }, at) => [{ table: 'tasks', op: 'patch', id: task, at, row: { title: 'pushed' } }],
    'a patch of another column': ({ task }, at) => [
      { table: 'tasks', op: 'patch', id: task, at, row: { position: 5 } },
    ],
    'a delete': ({ task }, at) => [{ table: 'tasks', op: 'delete', id: task, at }],
    'a put of a new row': ({ fresh, project }, at) => [
      { table: 'tasks', op: 'put', id: fresh, at, row: { title: 'pushed', project_id: project } },
    ],
    'a put with a unique value': ({ task }, at) => [
      { table: 'tasks', op: 'put', id: task, at, row: { title: 'pushed', email: `mail ${task}` } },
    ],
    'a put and a delete of the parent': ({ task, project }, at) => [
      { table: 'tasks', op: 'put', id: task, at, row: { title: 'pushed' } },
      { table: 'projects', op: 'delete', id: project, at: at + 1 },
    ],
  }

  const actNames = Object.keys(acts)
  const pushNames = Object.keys(pushes)

  /** `from` and `to`: before which statements of the push the app writes, and commits. */
  async function race(act: string, push: string, from: number, to: number, isLater: boolean): Promise<number> {
    const [who, other] = [someone(), someone()]
    const stage: Stage = { who, other, task: next(), project: next(), fresh: next() }
    const phone = openPhone(opened.store, [who])
    const others = openPhone(opened.store, [other])
    const at = Date.now() * 1000
    await phone.sync([
      { table: 'projects', op: 'put', id: stage.project, at: at - 3 * minute, row: { name: 'p' } },
      {
        table: 'tasks',
        op: 'put',
        id: stage.task,
        at: at - 3 * minute,
        row: { title: 'first', project_id: stage.project },
      },
    ])
    await Promise.all([phone.pull(), others.pull()])
    await shut()
    const paused = pausingStore(
      opened.store,
      new Map([
        [firstGate, from],
        [secondGate, to],
      ]),
    )
    const changes = pushes[push]?.(stage, isLater ? at + minute : at - minute) ?? []
    let verdicts: string[] | undefined
    const pushing = openPhone(paused.store, [who])
      .push(changes)
      .then((all) => {
        verdicts = all
      })
    // A push that fails is told at the end.
    pushing.catch(() => {})
    const until = async (which: number) => {
      while (!paused.isOver && !(await waiting()).gates.includes(which));
    }
    await until(firstGate)
    await app.query('BEGIN')
    let isDone = false
    const writes = (async () => {
      for (const sql of acts[act]?.sql(stage) ?? []) await app.query(sql)
      isDone = true
    })()
    writes.catch(() => {})
    while (!isDone && !(await waiting()).app)
      await Promise.race([writes, new Promise((resolve) => setTimeout(resolve, 1))])
    await open(firstGate)
    await until(secondGate)
    // An own write waits for the push only where the push is writing this very row.
    if (!isDone) await open(secondGate)
    await writes.catch((error: { code: string; message: string }) => {
      // What the app's own constraints refuse, since the push has committed.
      if (!/^23/.test(error.code)) throw new Error(`P18 the app failed: ${error.code} ${error.message}`)
    })
    await app.query('COMMIT')
    if (isDone) await open(secondGate)
    await pushing
    await gate.query('SELECT pg_advisory_unlock_all()')
    for (const verdict of verdicts ?? []) expect(verdict).toMatch(/^(applied|stale|row_missing|constraint)$/)
    await expectAll([who, other], [phone, others, openPhone(opened.store, [who]), openPhone(opened.store, [other])])
    const { title } = acts[act] ?? {}
    const row = phone.rows.get(`${who} tasks ${stage.task}`)?.row
    if (title !== undefined && !isLater && /^a (put|patch)$/.test(push)) expect(row?.title ?? null).toBe(title)
    return paused.length
  }

  it.each(['a put', 'a patch'])(
    'P19 %s never overwrites what the app commits before any of its statements',
    async (push) => {
      for (let at = 0; at <= 12; at++) await race('an UPDATE', push, at, at, false)
    },
  )

  it('P17 P18 P19 no write of either is lost, and the app neither fails nor loses', async () => {
    const random = seededRandom(seed)
    const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
    for (let run = 0; run < runs; run++) {
      const [act, push] = [pick(actNames), pick(pushNames)]
      const from = Math.floor(random() * 16)
      // Behind the last statement, the app commits once the push has lost, or has committed.
      const to = pick([from, from + 1 + Math.floor(random() * 6), 1_000])
      const isLater = random() < 0.3
      const named = `run ${run}: ${act} at ${from} to ${to}, ${push}${isLater ? ', later' : ''} (SEED=${seed})`
      await race(act, push, from, to, isLater).catch((error: Error) => {
        error.message = `${named}: ${error.message}`
        throw error
      })
    }
  }, 3_600_000)

  const put = (table: string, id: string, at: number, row: object) => ({ table, op: 'put', id, at, row })
  const write = (id: string, title: string) => `UPDATE tasks SET title = '${title}' WHERE id = '${id}'`

  it('P18 a push waits for a slow transaction of the app without its scope, and is not answered 503', async () => {
    const who = someone()
    const [slow, free, fresh] = [next(), next(), next()]
    const phone = openPhone(opened.store, [who])
    const at = Date.now() * 1000
    await phone.push([slow, free].map((id) => put('tasks', id, at - minute, { title: 'first' })))
    await app.query('BEGIN')
    await app.query(write(slow, 'own'))
    // A row that is not there yet, too, which no lock of a row tells of.
    await app.query(`INSERT INTO tasks (id, user_id, title) VALUES ('${fresh}', '${who}', 'own')`)
    let isAnswered = false
    const pushed = Promise.all(
      [slow, fresh].map((id) => openPhone(opened.store, [who]).push([put('tasks', id, at, { title: 'pushed' })])),
    ).finally(() => {
      isAnswered = true
    })
    pushed.catch(() => {})
    // Others of the scope go on, as often as they like.
    const ends = performance.now() + 3_000
    for (let n = 1; performance.now() < ends; n++) {
      expect(await phone.push([put('tasks', free, at + n, { title: `pushed ${n}` })])).toEqual(['applied'])
      await phone.pull()
    }
    expect(isAnswered).toBe(false)
    await app.query('COMMIT')
    expect(await pushed).toEqual([['stale'], ['stale']])
    await expectAll([who], [phone])
    expect(phone.rows.get(`${who} tasks ${slow}`)?.row).toMatchObject({ title: 'own' })
  })

  it('P18 own SQL goes on while a scope is locked for 10 s', async () => {
    const who = someone()
    const phone = openPhone(opened.store, [who])
    const at = Date.now() * 1000
    const [task, project] = [next(), next()]
    await phone.push([
      put('projects', project, at, { name: 'p' }),
      put('tasks', task, at, { title: 'first', project_id: project }),
    ])
    await gate.query('BEGIN')
    await gate.query(`SELECT 1 FROM driftline_scopes WHERE scope = '${who}' FOR UPDATE`)
    // It waits for longer than a batch may take.
    const waits = phone.push([put('tasks', next(), at, { title: 'waits' })]).catch(() => {})
    const ends = performance.now() + 10_000
    let writes = 0
    // Whoever waits for a lock for so long fails.
    await app.query(`SET lock_timeout = '5ms'`)
    for (; performance.now() < ends; writes++) {
      await app.query(write(task, `own ${writes}`))
      await app.query(`INSERT INTO tasks (id, user_id, title) VALUES ('${idOf(900_000)}', '${who}', 'own')`)
      await app.query(`DELETE FROM tasks WHERE id = '${idOf(900_000)}'`)
      await app.query(`UPDATE projects SET name = 'n${writes % 10}' WHERE id = '${project}'`)
      await app.query(`UPDATE tasks SET user_id = '${writes % 2 ? who : someone()}' WHERE id = '${task}'`)
    }
    await app.query('SET lock_timeout = 0')
    await gate.query('ROLLBACK')
    expect(writes).toBeGreaterThan(10)
    await waits
    await expectAll([who], [phone])
  })

  it('P18 of a push and the app that wait for each other the push gives way', async () => {
    const who = someone()
    const [task, project] = [next(), next()]
    const phone = openPhone(opened.store, [who])
    const at = Date.now() * 1000
    const both = (n: number, title: string) => [
      put('projects', project, at + n, { name: title }),
      put('tasks', task, at + n, { title }),
    ]
    await phone.push(both(0, 'first'))
    const rival = await connect()
    // Whoever looks first loses.
    await rival.query(`SET deadlock_timeout = '300ms'`)
    for (let round = 1; round <= 10; round++) {
      // It has the task, and wants the project, of which the push has one and wants the other.
      await rival.query('BEGIN')
      await rival.query(write(task, `own ${round}`))
      const pushed = phone.push(both((minute / 4) * round, `pushed ${round}`))
      const until = performance.now() + 200
      while (!(await isBlocked()) && performance.now() < until);
      await rival.query(`UPDATE projects SET name = 'own ${round}' WHERE id = '${project}'`)
      await rival.query('COMMIT')
      expect(await pushed).toEqual(['applied', 'applied'])
    }
    await expectAll([who], [phone])
  })

  const isBlocked = async () => (await watcher.query('SELECT 1 FROM pg_locks WHERE NOT granted')).rows.length > 0

  it('P18 a migration of the app that takes one table after the other loses against no pull and no push', async () => {
    const who = someone()
    const phone = openPhone(opened.store, [who])
    const at = Date.now() * 1000
    const task = next()
    await phone.push([put('tasks', task, at, { title: 'first' })])
    for (const [first, second] of [
      ['tasks', 'projects'],
      ['projects', 'tasks'],
    ]) {
      await app.query(`SET deadlock_timeout = '300ms'`)
      await app.query('BEGIN')
      await app.query(`ALTER TABLE ${first} ADD COLUMN more text`)
      await app.query(write(task, `own of ${first}`))
      const pulled = openPhone(opened.store, [who]).pull()
      const pushed = phone.push([put('tasks', next(), at, { title: 'pushed' })])
      while (!(await isBlocked()));
      await new Promise((resolve) => setTimeout(resolve, 500))
      await app.query(`ALTER TABLE ${second} ADD COLUMN more text`)
      await app.query('COMMIT')
      await app.query('RESET deadlock_timeout')
      await pulled
      expect(await pushed).toEqual(['applied'])
      for (const table of ['tasks', 'projects']) await app.query(`ALTER TABLE ${table} DROP COLUMN more`)
    }
    await expectAll([who], [phone])
  })

  it('P3 a pull settles what a rival holds back, behind the positions of the rival', async () => {
    const who = someone()
    const [task, other] = [next(), next()]
    const phone = openPhone(opened.store, [who])
    await phone.push([put('tasks', task, Date.now() * 1000 - minute, { title: 'first' })])
    await app.query(`INSERT INTO tasks (id, user_id, title) VALUES ('${other}', '${who}', 'own')`)
    await gate.query('BEGIN')
    await gate.query(`UPDATE driftline_scopes SET position = position + 5 WHERE scope = '${who}'`)
    await gate.query(
      `UPDATE driftline.tasks SET position = (SELECT position FROM driftline_scopes WHERE scope = '${who}') WHERE scope = '${who}'`,
    )
    const pulled = phone.pull()
    while (!(await isBlocked()));
    const { rows: blocked } = await watcher.query(
      `SELECT left(query, 28) AS query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    // It waits before it looks at anything, so that its snapshot is younger than the lock.
    expect(blocked).toEqual([{ query: 'INSERT INTO driftline_scopes' }])
    // Own SQL that comes meanwhile is settled with it.
    await app.query(write(other, 'own again'))
    await gate.query('COMMIT')
    await pulled
    const { rows } = await watcher.query(
      `SELECT id FROM driftline.tasks WHERE scope = '${who}' AND position > (SELECT position FROM driftline.tasks WHERE scope = '${who}' AND id = '${task}')`,
    )
    expect(rows).toEqual([{ id: other }])
    expect(phone.rows.get(`${who} tasks ${other}`)?.row).toMatchObject({ title: 'own again' })
    await expectAll([who], [phone])
  })

  it('P18 own SQL on a connection that has pushed before, as a pooler hands it out, is noted', async () => {
    const who = someone()
    const task = next()
    const phone = openPhone(opened.store, [who])
    await phone.push([put('tasks', task, Date.now() * 1000, { title: 'first' })])
    for (const name of ['push', 'until', 'scope', 'client'])
      await app.query(`BEGIN; SELECT set_config('driftline.${name}', '1', true); COMMIT`)
    await app.query(write(task, 'own'))
    await app.query(`INSERT INTO tasks (user_id, title) VALUES ('${who}', 'own')`)
    await app.query(`DELETE FROM tasks WHERE id = '${task}'`)
    await expectAll([who], [phone])
  })

  it('P19 a push of a row that the app never stops writing comes to its turn', async () => {
    const who = someone()
    const task = next()
    const phone = openPhone(opened.store, [who])
    const at = Date.now() * 1000
    await phone.push([put('tasks', task, at, { title: 'first' })])
    let isOver = false
    let writes = 0
    const writers = Array.from({ length: 3 }, async () => {
      const session = await connect()
      while (!isOver) await session.query(write(task, `own ${writes++}`))
    })
    try {
      for (let n = 0; n < 5; n++)
        expect(
          await phone.push([
            { table: 'tasks', op: 'patch', id: task, at: at + (minute / 2) * (n + 1), row: { position: n } },
          ]),
        ).toEqual(['applied'])
    } finally {
      isOver = true
    }
    await Promise.all(writers)
    await expectAll([who], [phone, openPhone(opened.store, [who])])
  })

  it('P19 a push behind more than one batch can settle is applied, and what waits is settled on the way', async () => {
    const team = ++people
    const phone = openPhone(opened.store, [`team:${team}`])
    const at = Date.now() * 1000
    const many = (name: string) =>
      app.query(
        `INSERT INTO notes (key, team_id, body) SELECT '${name} ${team} ' || n, ${team}, 'own' FROM generate_series(1, 12000) AS n`,
      )
    const last = `last ${team}`
    await app.query(`INSERT INTO notes (key, team_id) VALUES ('${last}', ${team})`)
    expect(await phone.push([put('notes', last, at, { body: 'first' })])).toEqual(['stale'])
    await many('a')
    await app.query(`UPDATE notes SET body = 'own' WHERE key = '${last}'`)
    expect(await phone.push([put('notes', last, at + 1, { body: 'older' })])).toEqual(['stale'])
    await many('b')
    await app.query(`UPDATE notes SET body = 'own again' WHERE key = '${last}'`)
    expect(await phone.push([put('notes', last, at + minute, { body: 'later' })])).toEqual(['applied'])
    await phone.pull(5_000)
    await expectAll([`team:${team}`], [phone])
    expect(phone.rows.size).toBe(24_001)
  })
})
