import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, it } from 'vitest'
import { createApp } from '../../../src/http/app.ts'
import { openNodeLive } from '../../../src/live/node/live.ts'
import { text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { problems } from '../../../src/model/errors.ts'
import { describeApi } from '../../../src/openapi/document.ts'
import { documentsOf } from '../../../src/openapi/documents.ts'
import { createContract } from '../../support/contract.ts'
import { schema } from '../../support/schema.ts'
import { testSecret } from '../../support/server.ts'
import { openTestStore } from '../../support/stores.ts'
import { wideSchema } from './wide.ts'

// biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document
const document = describeApi(schema) as any

it.each([
  ['the sample', schema],
  ['every type', wideSchema],
  ['no table', defineSchema({})],
  ['one table, all optional', defineSchema({ change: { id_: text({ nullable: true }) } })],
])('is valid OpenAPI 3.1, for %s', async (_, tables) => {
  const validator = new Validator()
  const result = await validator.validate(JSON.parse(JSON.stringify(describeApi(tables))))
  expect(result.errors).toBeUndefined()
  expect([result.valid, validator.version]).toEqual([true, '3.1'])
})

it('describes the routes of the app, each with its methods, and no others', async () => {
  const { store, close } = await openTestStore('libsql file')
  const live = await openNodeLive('file:none', 1)
  const app = createApp({ schema, store, auth: { secret: testSecret }, documents: documentsOf(schema), live })
  const declared = app.routes
    // The files of the pages are nobody's business but theirs.
    .filter(({ method, path }) => method !== 'ALL' && !path.endsWith('/*'))
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  const described = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(described.sort()).toEqual(declared.sort())
  const bare = createApp({ schema, store, auth: { secret: testSecret } })
  for (const path of ['/docs', '/docs/', '/reference']) expect((await bare.request(path)).status).toBe(404)
  await close()
})

it('names every problem in an answer, and has examples that fit', () => {
  const answers = JSON.stringify([document.paths, document.components.responses])
  for (const code of Object.keys(problems)) expect(answers).toContain(`#/components/schemas/problem.${code}"`)
  for (const tables of [schema, wideSchema]) {
    // biome-ignore lint/suspicious/noExplicitAny: an OpenAPI document
    const one = describeApi(tables) as any
    const contract = createContract(one)
    for (const path of ['/v1/sync', '/v1/push']) {
      const { schema: body, example } = one.paths[path].post.requestBody.content['application/json']
      contract.mustFit(body, example, path)
    }
  }
})

it('describes the changes of webhooks to columns that merge, with and without a stamp', () => {
  const { isValid } = createContract(describeApi(wideSchema))
  const add = { table: 'counted', op: 'patch', id: '1', row: { likes: { add: 1 } } }
  for (const right of [add, { ...add, create: true }, { ...add, at: 1e15, if: { at: 1e15, by: 'a' } }])
    expect(isValid('webhook.change', right), JSON.stringify(right)).toBe(true)
  for (const wrong of [
    { ...add, row: { likes: 1 } },
    { ...add, row: { likes: null } },
    { ...add, op: 'put', create: true },
    { ...add, if: { at: 1e15 } },
    { ...add, table: 'filled', op: 'put', row: { at: '2026-01-31T08:30:00.000Z' } },
  ])
    expect(isValid('webhook.change', wrong), JSON.stringify(wrong)).toBe(false)
})

it('refuses what it does not describe', () => {
  const { isValid } = createContract(document)
  const row = { title: 'x', done: false, priority: 0, notes: null, amount: null, list_id: null }
  const stored = { scope: 'a', table: 'todos', op: 'put', id: '1', at: 1e15, by: 'a', position: 1, row }
  expect(isValid('stored', stored)).toBe(true)
  for (const wrong of [
    { ...stored, more: 1 },
    { ...stored, row: { ...row, more: 1 } },
    { ...stored, row: { title: 'x' } },
    { ...stored, op: 'delete' },
    { ...stored, table: 'lists' },
    { ...stored, position: '1' },
  ]) {
    expect(isValid('stored', wrong), JSON.stringify(wrong)).toBe(false)
  }
  expect(isValid('verdict', { verdict: 'stale' })).toBe(false)
  const taken = { code: 'key_taken', detail: 'x', retryable: false }
  expect(isValid('verdict', { verdict: 'rejected', error: taken, current: stored })).toBe(true)
  expect(isValid('verdict', { verdict: 'applied', action: 'updated', lost: [] })).toBe(false)
  expect(isValid('sync.answer', { now: 1, verdicts: [], cursor: 'x' })).toBe(false)
})
