import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { chunkSize, createImport, importChunks } from '../../../src/bulk/import.ts'
import { readLines } from '../../../src/bulk/ndjson.ts'
import { copyChunkSize } from '../../../src/cli/import/database.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import type { Store } from '../../../src/stores/store.ts'
import type { Carry } from '../../../src/sync/push/plan-bulk.ts'
import { createOperations } from '../../../src/sync/sync.ts'
import { schema } from '../../support/schema.ts'
import { testSecret } from '../../support/server.ts'
import { id, row } from './subject.ts'

export const at = 1_700_000_000_000_000

/** Writes so many changes as NDJSON. */
export async function writeLines(path: string, size: number): Promise<void> {
  const file = await open(path, 'w')
  for (let from = 0; from < size; from += 10_000) {
    const lines = Array.from({ length: Math.min(10_000, size - from) }, (_, n) =>
      JSON.stringify({ table: 'todos', op: 'put', id: id(from + n), at, row: row(from + n) }),
    )
    await file.write(`${lines.join('\n')}\n`)
  }
  await file.close()
}

/** What came of an import, where it came to its end. */
export interface Sum {
  applied: number
  duplicate: number
}

/** As `npx driftline import` does it. */
export async function fromTerminal(store: Store, path: string, carry?: Carry): Promise<Sum> {
  const operations = createOperations({ schema, store, ...(carry && { carry }) })
  const wish = { client: 'import', table: undefined, at: undefined, grant: { scope: 'alice', isAllowed: () => true } }
  const importChunk = createImport(operations.importChunk, 'bench', wish)
  const sum = { applied: 0, duplicate: 0 }
  const chunks = readLines(createReadStream(path, { highWaterMark: 2 ** 18 }), carry ? copyChunkSize : chunkSize)
  for await (const one of importChunks(chunks, importChunk)) {
    sum.applied += one.applied
    sum.duplicate += one.duplicate
  }
  return sum
}

/** To a server of its own, as curl would, into a scope of its own. */
export async function overHttp(url: string, path: string, sub: string): Promise<Sum> {
  const headers = {
    Authorization: `Bearer ${await signToken(testSecret, { sub })}`,
    'Content-Type': 'application/x-ndjson',
  }
  const sending = request(`${url}/v1/import`, { method: 'POST', headers })
  const answered = new Promise<string>((resolve, reject) => {
    sending.on('error', reject).on('response', async (answer) => {
      let text = ''
      for await (const some of answer.setEncoding('utf8')) text += some
      resolve(text)
    })
  })
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 18 }), sending)
  const last = JSON.parse((await answered).trimEnd().split('\n').at(-1) ?? '')
  if (!last.done) throw new Error(`an import ended with ${JSON.stringify(last)}`)
  return last
}
