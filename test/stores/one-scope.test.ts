import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { counter, integer, text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { byColumn } from '../../src/model/table.ts'
import { countSql, headsSql } from '../../src/sql/count-sql.ts'
import { deliverySql, recordSql } from '../../src/sql/delivery-sql.ts'
import { raiseWith } from '../../src/sql/markers.ts'
import { postgres } from '../../src/sql/postgres/dialect.ts'
import { pruneSql } from '../../src/sql/prune-sql.ts'
import { compileSchema } from '../../src/sql/schema-sql.ts'
import { scopeSql } from '../../src/sql/scope-sql.ts'
import type { Statement } from '../../src/sql/statement.ts'
import { tableSql } from '../../src/sql/table-sql.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createRecorder } from '../../src/webhooks/out/record.ts'
import { scopeFaults } from '../support/one-scope.ts'
import { del, noon, patch, principal, put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

const small = defineSchema({ notes: { title: text() } })
const statements = [schema, small].flatMap((one) => {
  const raise = raiseWith(postgres, 'nonce')
  const ofScope = scopeSql(postgres, one, 4_194_304, raise)
  const { weight, ...ofTable } = tableSql(postgres, one.tables[0]!, raise)
  return Object.entries({
    ...ofScope,
    weigh: ofScope.weigh + weight(3),
    ...Object.fromEntries(Object.entries(ofTable).filter(([, sql]) => typeof sql === 'string')),
  }).map(([name, sql]) => [`${name} of ${one.tables.length} tables`, String(sql)] as [string, string])
})
// Where columns merge and keys are unique.
const merging = byColumn({
  title: text({ unique: true }),
  best: integer({ merge: 'max', default: 0 }),
  likes: counter(),
})
const { adds, keys, upsert, update, variant } = tableSql(
  postgres,
  defineSchema({ posts: merging }).tables[0]!,
  raiseWith(postgres, 'nonce'),
)
const variants = (['upsert', 'update', 'create'] as const).map((kind) => variant({ kind, seen: true }))
const addTexts = Object.values(adds ?? {}).filter((sql) => typeof sql === 'string')
const ruled = [...addTexts, keys?.look, keys?.taken, upsert, update, ...variants].map(
  (sql, place) => [`merging ${place} by ${String(sql).slice(0, 40)}`, String(sql)] as [string, string],
)
statements.push(...ruled)
// The pruner's list of scopes and its marks go over many; what it does to one names it.
const { tombstones, raise, remove, done, forget, forgetAdds } = pruneSql(postgres, small)
const pruning = [...tombstones, raise, ...remove, ...done, forget, ...forgetAdds].map(
  (sql) => [`pruning by ${sql.slice(0, 50)}`, sql] as [string, string],
)
statements.push(...pruning)
// So does what a sender looks for; what it does to one delivery names its scope.
const { head, claim, finish, fail } = deliverySql(postgres)
const recording = [schema, small].map((one) => recordSql(postgres, one.tables))
const deliveries = [...recording, head, claim, ...finish, fail].map(
  (sql, place) => [`delivery ${place} by ${sql.slice(0, 40)}`, sql] as [string, string],
)
statements.push(...deliveries)
const counts = [schema, small].map((one) => countSql(postgres, one))
const counting = counts.flatMap(({ rows }, place) =>
  rows.map((sql, table) => [`count ${place} ${table}`, sql] as [string, string]),
)
statements.push(...counting)

describe('P11 every statement on Postgres names one scope, by the reading of its own parser', () => {
  it.each(statements)('%s', async (_, sql) => {
    expect(await scopeFaults(sql)).toEqual([])
  })

  it('knows all of them', () => {
    expect(statements).toHaveLength(2 * 28 + ruled.length + pruning.length + deliveries.length + counting.length)
  })

  /** Every way to lose the scope at one place of a statement. */
  const broken = statements.flatMap(([name, sql]) => {
    const mutants: [string, string][] = []
    const change = (pattern: RegExp, by: string) => {
      for (const found of sql.matchAll(pattern))
        mutants.push([
          `${name}: ${found[0]} at ${found.index} as ${by}`,
          sql.slice(0, found.index) + by + sql.slice(found.index + found[0].length),
        ])
    }
    change(/([\w$]+\.)?scope = \$1/g, 'true')
    change(/([\w$]+\.)?scope = \$1/g, 'scope = $2')
    change(/([\w$]+\.)?scope = \$1/g, '(scope = $1 OR true)')
    change(/SELECT \$1, (sent|found)\$\.id\$?/g, 'SELECT sent$.id$, sent$.id$')
    change(/SELECT \$1, \$3/g, 'SELECT $3, $3')
    change(/VALUES \(\$1/g, 'VALUES ($2')
    change(/ON CONFLICT \(scope(, id)?\)/g, 'ON CONFLICT (id)')
    change(/DO UPDATE SET /g, 'DO UPDATE SET scope = excluded.id, ')
    change(/RETURNING /g, 'RETURNING (SELECT 1 FROM driftline_scopes), ')
    return mutants
  })

  it.each(broken)('and the check finds %s', async (_, sql) => {
    expect(await scopeFaults(sql)).not.toEqual([])
  })

  it('has broken each statement in some place', () => {
    for (const [name] of statements)
      expect(
        broken.some(([of]) => of.startsWith(`${name}:`)),
        name,
      ).toBe(true)
    expect(broken.length).toBeGreaterThan(100)
  })
})

describe('P11 every batch that is sent to Postgres', () => {
  let opened: TestStore
  const sent: [scope: string, Statement][] = []
  let store: Store
  beforeAll(async () => {
    opened = await openTestStore('postgres')
    store = {
      ...opened.store,
      batch(scope, batch) {
        sent.push(...batch.map((one): [string, Statement] => [scope, one]))
        return opened.store.batch(scope, batch)
      },
    }
  })
  afterAll(() => opened.close())

  it('names a scope of the principal as its first parameter, or some in a list, and no other', async () => {
    const endpoints = ['crm', 'erp'].map((name) => ({ name, url: 'https://crm.example', secret: 'whsec_' }))
    const sync = createSync({
      schema,
      store,
      now: () => noon / 1000,
      record: createRecorder(store.dialect, schema, endpoints),
    })
    const who = principal('alice', { bob: 'write', news: 'read' })
    const changes = [
      put('a', 0, 'a'),
      patch('a', 1, { done: true }),
      del('b', 0),
      { ...put('a', 0, 'b'), scope: 'bob' },
    ]
    const { cursor = null } = await sync.sync(who, { client: 'a', cursor: null, changes })
    await sync.sync(who, {
      client: 'b',
      cursor,
      changes: [...changes, patch('nothing', 0, { done: true })],
      return: 'lost',
    })
    await sync
      .push(principal('alice'), { client: 'c', atomic: true, changes: [patch('no', 0, { done: true })] })
      .catch(() => {})
    await sync.pull(who, { cursor })
    expect(sent.length).toBeGreaterThan(20)
    expect(sent.filter(([, { sql }]) => sql.includes('INTO driftline_deliveries')).length).toBeGreaterThan(3)
    const own = [...who.scopes.keys()]
    // What goes over several scopes is given each of them.
    const pages = Object.values(compileSchema(schema, postgres).pages ?? {})
    const listing = [headsSql(postgres), 'driftline_resync', ...pages]
    const isListing = (sql: string) => listing.some((text) => sql.includes(text)) && sql.includes('sent$')
    for (const [scope, { sql, params }] of sent) {
      expect(own).toContain(scope)
      if (isListing(sql))
        for (const one of String(params[0])
          .replace(/^\{|\}$/g, '')
          .split(','))
          expect(own).toContain(one.replaceAll('"', ''))
      else expect(own).toContain(params[0])
      if (!isListing(sql)) expect(await scopeFaults(sql), sql).toEqual([])
    }
    expect(sent.some(([, { sql }]) => isListing(sql))).toBe(true)
  })
})
