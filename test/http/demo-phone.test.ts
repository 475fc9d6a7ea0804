import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { Phone } from '../programs/demo/phone.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

let opened: TestStore
let server: ReturnType<typeof serve>
beforeAll(async () => {
  opened = await openTestStore('libsql file')
  const app = createApp({ schema, store: opened.store, auth: { secret: testSecret } })
  server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
  await new Promise((resolve) => server.once('listening', resolve))
})
afterAll(async () => {
  server.close()
  await opened.close()
})

it('P1 a phone whose clock is slow wins over the rows that it has seen, pulled or in a verdict', async () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const token = await signToken(testSecret, { sub: 'alice' })
  const right = new Phone('right', url, token)
  const slow = new Phone('slow', url, token, -600_000)
  const todo = { table: 'todos', id: 't' } as const
  right.edit({ ...todo, op: 'put', at: right.stamp(), row: { title: 'first' } })
  await right.sync()
  await slow.sync()
  const seen = slow.rows.get('todos/t')?.at ?? 0
  expect(slow.stamp()).toBeGreaterThan(seen)
  slow.edit({ ...todo, op: 'patch', at: slow.stamp(), row: { title: 'second' } })
  expect((await slow.sync()).map(({ verdict }) => verdict.verdict)).toEqual(['applied'])

  // What it has not seen beats it, and the verdict tells it of that.
  await right.sync()
  right.edit({ ...todo, op: 'patch', at: right.stamp(), row: { title: 'third' } })
  slow.edit({ ...todo, op: 'patch', at: slow.stamp(), row: { title: 'unseen' } })
  await right.sync()
  expect((await slow.sync()).map(({ verdict }) => verdict.verdict)).toEqual(['stale'])
  slow.edit({ ...todo, op: 'patch', at: slow.stamp(), row: { title: 'fourth' } })
  expect((await slow.sync()).map(({ verdict }) => verdict.verdict)).toEqual(['applied'])
})
