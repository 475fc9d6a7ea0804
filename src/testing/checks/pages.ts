import type { Principal } from '../../model/principal.ts'
import type { PullOutput, Sync } from '../../sync/create-sync.ts'
import { createOperations } from '../../sync/sync.ts'
import { pullToJson } from '../../wire/answer.ts'
import { equal, includes } from '../assert.ts'
import type { Checks } from '../check.ts'
import { noon, principal, put, type Sample, sampleSync, suiteSchema } from '../sample.ts'

/** All pages from the beginning on. */
export async function pull(sync: Sync<Sample>, who: Principal, limit: number): Promise<PullOutput<Sample>[]> {
  const pages: PullOutput<Sample>[] = []
  for (let cursor: string | null = null, more = true; more; ) {
    const page: PullOutput<Sample> = await sync.pull(who, { cursor, limit })
    pages.push(page)
    ;({ cursor, more } = page)
  }
  return pages
}

/** What a pull gives, in which order, and how far its cursor goes. */
export const pageChecks: Checks = {
  'P3 P4 pages of every size hand out each row once, in position order, and end where the history ends': async ({
    store,
    someone,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    const list = (n: number) => ({ table: 'lists', op: 'put', id: `l${n}`, at: noon, row: { name: 'x' } }) as const
    const changes = Array.from({ length: 23 }, (_, n) => (n % 3 ? put(`t${n}`, n, 'x') : list(n)))
    await sync.push(who, { client: 'a', changes })
    const whole = await sync.pull(who)
    equal(
      whole.changes.map(({ position }) => position),
      Array.from({ length: 23 }, (_, n) => n + 1),
    )
    for (const limit of [1, 2, 7, 22, 23, 24]) {
      const pages = await pull(sync, who, limit)
      const sizes = pages.map((page) => page.changes.length)
      equal(
        sizes,
        Array.from({ length: Math.ceil(23 / limit) }, (_, n) => Math.min(limit, 23 - n * limit)),
      )
      equal(
        pages.flatMap((page) => page.changes),
        whole.changes,
      )
    }
  },

  'leaves out what this very request wrote and nothing else, and the cursor passes over it': async ({
    store,
    someone,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    const first = await sync.sync(who, { client: 'a', cursor: null, changes: [put('mine', 0, 'x')] })
    equal(first.changes, [])
    await sync.push(who, { client: 'a', changes: [put('mine too', 1, 'x')] })
    const second = await sync.sync(who, {
      client: 'a',
      cursor: first.cursor ?? null,
      changes: [put('now', 2, 'x'), put('mine', -1, 'old')],
    })
    equal(
      second.changes?.map(({ id }) => id),
      ['mine too'],
    )
    const third = await sync.sync(who, { client: 'a', cursor: second.cursor ?? null })
    includes(third, { changes: [], more: false, cursor: second.cursor })
  },

  'lays several scopes into one page, never beyond the limit': async ({ store, scope }) => {
    const sync = sampleSync(store)
    const who = principal(scope('p'), { [scope('q')]: 'write', [scope('r')]: 'write' })
    const names = [...who.scopes.keys()]
    const ids = ['0', '1', '2', '3']
    const changes = names.flatMap((name) => ids.map((id) => ({ ...put(id, 0, 'x'), scope: name })))
    await sync.push(who, { client: 'a', changes })
    const pages = await pull(sync, who, 5)
    equal(
      pages.map((page) => page.changes.length),
      [5, 5, 2],
    )
    equal(
      pages.flatMap((page) => page.changes.map((one) => `${one.scope} ${one.id}`)),
      names.flatMap((name) => ids.map((id) => `${name} ${id}`)),
    )
  },

  'the text of an answer is what JSON.stringify would write, byte for byte': async ({ store, someone }) => {
    const sync = sampleSync(store)
    const who = someone()
    const odd = '\u0001\u001f\u007f\ufffe"\\/\b\f\n\r\t'
    const changes = [
      put('"\\\u2028 \ud83d\ude00', 0, odd, { amount: 1e-7, notes: '\t' }),
      put('b', 0, 'b', { amount: -0 }),
    ]
    await sync.push(who, { client: 'a', changes })
    const { pull: read } = createOperations({ schema: suiteSchema, store })
    const text = pullToJson(await read(who, { cursor: null, limit: 10 }))
    equal(JSON.stringify(JSON.parse(text)), text)
    equal(text.includes(JSON.stringify(odd)), true)
  },
}
