import type { Schema, Table } from '../model/table.ts'
import { exampleOf } from '../openapi/values.ts'
import { signToken } from './sign-token.ts'

/** Prints a development token and two lines of curl to paste. */
export async function printToken(url: string, secret: string, { tables: [table] }: Schema): Promise<void> {
  if (!table)
    console.log(`
There are no tables yet: add one to the schema, then npx driftline generate --name what-changed. Until then every push is rejected.`)
  const token = await signToken(secret, { sub: 'alice' })
  const at = Date.now() * 1000
  const changes = table ? [{ table: table.name, op: 'put', id: '1', at, row: exampleRow(table) }] : []
  const body = JSON.stringify({ client: 'phone-1', cursor: null, changes }).replaceAll("'", "'\\''")
  console.log(`
Development token for alice, 24 hours (npx driftline token --sub bob makes another):
${token}

${table ? 'Push a row, then pull it' : 'Sync nothing, then pull it'}:
curl -sS ${url}/v1/sync -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '${body}'
curl -sS ${url}/v1/pull -H 'Authorization: Bearer ${token}'`)
}

/** A row with a value for each column that needs one. */
export function exampleRow({ columns }: Table): Record<string, unknown> {
  const required = columns.filter(({ nullable, default: value }) => !nullable && value === undefined)
  return Object.fromEntries(required.map((column) => [column.name, exampleOf(column)]))
}
