import { workerData } from 'node:worker_threads'
import { pushes } from './subject.ts'

/**
 * A thread of its own that keeps a server busy until it is ended: pushes of 5,000 changes one after
 * the other, or imports of 100,000 rows. What it makes and reads is the client's work, which
 * nobody's wait should count.
 */
const { url, kind, headers } = workerData as { url: string; kind: 'push' | 'import'; headers: Record<string, string> }

const app = { request: (path: string, init: RequestInit) => fetch(url + path, init) }
const { prepare, run } = pushes(app, 5_000, 'all')

async function importRows(): Promise<void> {
  const at = Date.now() * 1000
  const lines = Array.from({ length: 100_000 }, (_, n) => {
    const row = { title: `Buy ${n} litres of milk`, done: false, priority: 1, notes: null }
    return `${JSON.stringify({ table: 'todos', op: 'put', id: `import ${n}`, at, row })}\n`
  })
  const type = { 'Content-Type': 'application/x-ndjson' }
  const answer = await fetch(`${url}/v1/import`, {
    method: 'POST',
    headers: { ...headers, ...type },
    body: lines.join(''),
  })
  const text = await answer.text()
  if (answer.status !== 200 || text.includes('problem')) throw new Error(text.slice(0, 300))
}

for (;;) await (kind === 'push' ? run(prepare()) : importRows())
