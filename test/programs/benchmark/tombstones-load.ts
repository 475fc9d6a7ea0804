import { parentPort, workerData } from 'node:worker_threads'

/**
 * A thread of its own that bootstraps a scope without a pause, as so many clients at the same time,
 * until it is ended.
 */
const { url, token, readers, live } = workerData as { url: string; token: string; readers: number; live: number }

async function bootstrap(): Promise<void> {
  let rows = 0
  for (let cursor = '', more = true; more; ) {
    const answer = await fetch(`${url}/v1/pull?limit=1000${cursor && `&cursor=${cursor}`}`, {
      headers: { Authorization: `Bearer ${token}` },
    })
    const text = await answer.text()
    if (answer.status !== 200) throw new Error(text.slice(0, 300))
    const page = JSON.parse(text)
    rows += page.changes.length
    ;({ cursor, more } = page)
  }
  if (rows !== live) throw new Error(`A bootstrap gave ${rows} rows`)
  parentPort?.postMessage(rows)
}

async function client(): Promise<never> {
  for (;;) await bootstrap()
}
await Promise.all(Array.from({ length: readers }, client))
