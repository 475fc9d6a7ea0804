import { expect, it } from 'vitest'
import { workerSettings } from '../../../src/cli/dev-settings.ts'
import { readSettings } from '../../../src/runtime/settings.ts'

it('npx driftline dev hands the worker every setting that is read wherever driftline runs', () => {
  const read = new Set<string>()
  readSettings(
    new Proxy(
      {},
      {
        get(_, name) {
          read.add(String(name))
          return undefined
        },
      },
    ),
  )
  expect(read.size).toBeGreaterThan(10)
  expect([...read].filter((name) => !workerSettings.includes(name))).toEqual([])
})
