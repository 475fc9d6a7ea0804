import { expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { waiting } from '../../../src/sql/delivery-sql.ts'
import { firstProject } from '../../support/migrations.ts'
import { dialectStores } from '../../support/stores.ts'
import { openEmpty } from './databases.ts'

it.each(dialectStores)(
  'P2 what an endpoint was disabled for stays kept and disabled, scope by scope, on %s',
  async (name) => {
    const database = await openEmpty(name)
    const migrations = await readMigrations(database.store.dialect.name, firstProject)
    const before = migrations.filter(({ name: one }) => one < '0005')
    await migrate(database.store, before)
    for (const [scope, endpoint, position] of [
      ['a', 'off', 1],
      ['a', 'off', 2],
      ['a', 'on', 1],
      ['b', 'off', 7],
    ])
      await database.run(
        `INSERT INTO driftline_deliveries VALUES ('${scope}', '${endpoint}', ${position}, 0, 'm', 5, 5, 10, 'http_500')`,
      )
    await database.run("INSERT INTO driftline_endpoints VALUES ('off', 99, 'http_500')")
    await migrate(database.store, migrations)
    const kept = await database.run(
      'SELECT scope, endpoint, position, next_at, disabled_at FROM driftline_deliveries ORDER BY scope, endpoint, position',
    )
    expect(kept.map(([scope, endpoint, ...numbers]) => [scope, endpoint, ...numbers.map(Number)])).toEqual([
      ['a', 'off', 1, waiting, 99],
      ['a', 'off', 2, 5, 0],
      ['a', 'on', 1, 5, 0],
      ['b', 'off', 7, waiting, 99],
    ])
    await database.close()
  },
)
