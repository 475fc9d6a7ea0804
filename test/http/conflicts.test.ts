import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import * as columns from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { byColumn, type Schema } from '../../src/model/table.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { blocks } from '../support/manual.ts'
import { drawPhones, type Example, readExamples, type Step } from '../support/phones.ts'
import { testSecret } from '../support/server.ts'
import { dialectStores, openTestStore } from '../support/stores.ts'

/** The tables of a page are code, which is run as it stands there. */
function schemaOf(declared: string): Schema {
  const names = { ...columns, byColumn }
  return defineSchema(new Function(...Object.keys(names), `return { ${declared} }`)(...Object.values(names)))
}

const micros = (at: string) => Date.parse(`2026-11-21T${at.padStart(5, '0')}:00Z`) * 1_000
const client = (who: string) => `phone-${who.toLowerCase()}`

interface Verdict {
  readonly verdict: string
  readonly error?: { readonly code: string }
  readonly current?: { readonly row: object }
}

const examples = [...readExamples()]

describe.each(dialectStores)('the examples of docs/conflicts.md, on %s', (store) => {
  it.each(examples.flatMap(([name, all]) => all.map((one) => [`${name}: ${one.declared}`, one] as const)))(
    '%s',
    async (_, { declared, steps }: Example) => {
      const schema = schemaOf(declared)
      const opened = await openTestStore(store, schema)
      const app = createApp({ schema, store: opened.store, auth: { secret: testSecret } })
      const headers = {
        Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`,
        'Content-Type': 'application/json',
      }
      const [table] = Object.keys(Object.fromEntries(schema.tables.map(({ name }) => [name, name])))
      const send = async ({ who, op, row, at, seen, create }: Step) => {
        const change = {
          ...{ table, op, id: '1', at: micros(at), row },
          ...(create && { create }),
          ...(seen && { if: { at: micros(seen.at), by: client(seen.by) } }),
        }
        const body = JSON.stringify({ client: client(who), changes: [change] })
        const answer = await app.request('/v1/push', { method: 'POST', headers, body })
        const { verdicts } = (await answer.json()) as { verdicts: [Verdict] }
        const pulled = (await (await app.request('/v1/pull', { headers })).json()) as { changes: { row: object }[] }
        return { verdict: verdicts[0], row: pulled.changes[0]?.row }
      }
      for (const step of steps) {
        const { verdict, row } = await send(step)
        expect([verdict.error?.code ?? verdict.verdict, row], `${step.who} at ${step.at}`).toEqual([
          step.verdict,
          step.left,
        ])
        if (step.verdict === 'stale' || step.verdict === 'changed') expect(verdict.current?.row).toEqual(step.left)
      }
      await opened.close()
    },
  )
})

it('the tables that docs/schema.md declares are tables', () => {
  const [code = ''] = blocks
    .filter(({ text, page }) => page === 'docs/schema.md' && text.includes('byColumn('))
    .map(({ text }) => text)
  const names = { ...columns, byColumn, defineSchema }
  const schema: Schema = new Function(...Object.keys(names), code.replace('export const schema =', 'return'))(
    ...Object.values(names),
  )
  expect(schema.tables).toMatchObject([
    { name: 'products', byColumn: true, unique: [['code']] },
    { name: 'members', byColumn: false, unique: [['team', 'email']], rewrites: true },
  ])
})

it('every rule has its examples, and its picture shows them', async () => {
  expect(examples.map(([name]) => name)).toEqual([
    ...['by-column', 'counter', 'set', 'max', 'once', 'if'].map((rule) => `conflicts-${rule}.svg`),
    'A patch that makes its row',
  ])
  const page = await readFile('docs/conflicts.md', 'utf8')
  for (const [name, some] of examples) {
    if (!name.endsWith('.svg')) continue
    const [, told = ''] = new RegExp(`!\\[([^\\]]+)\\]\\(${name}\\)`).exec(page) ?? []
    for (const one of some) expect(one.told).toMatch(/^(Lost|Kept): /)
    const drawn = drawPhones(told, some)
    if (process.env.DRAW) await writeFile(`docs/${name}`, drawn)
    expect(
      await readFile(`docs/${name}`, 'utf8'),
      `DRAW=1 npx vitest run test/http/conflicts.test.ts draws ${name} anew`,
    ).toBe(drawn)
  }
})
