import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onePlace, type Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson } from '../../src/wire/answer.ts'
import { del, noon, patch, principal, put, type SampleChange, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'

/**
 * What a store must be given to be held to the promises: a fresh database with the sample's tables,
 * and a way to write past driftline.
 */
export interface SuiteStore {
  readonly store: Store
  roundTrips(): number
  close(): Promise<void>
}

/**
 * The promises that one store can keep or break, for any store: `storeSuite('mine', open)` is a
 * whole test file.
 */
export function storeSuite(name: string, open: () => Promise<SuiteStore>): void {
  describe(`the promises on ${name}`, () => {
    let opened: SuiteStore
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened.close())
    let scopes = 0
    const someone = () => principal(`user${++scopes}`)
    /** In the database of that scope: a store may have one for each. */
    const exec = (scope: string, sql: string) => opened.store.batch(scope, [{ sql, params: [] }])

    it('takes one round trip for a sync with every kind of change, for a push and for a pull', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const count = async (work: () => Promise<unknown>) => {
        const before = opened.roundTrips()
        await work()
        return opened.roundTrips() - before
      }
      const list = { table: 'lists', op: 'put', id: 'l', at: noon, row: { name: 'L' } } as const
      const changes = [
        put('a', 0, 'a'),
        patch('a', 1, { done: true }),
        patch('b', 0, { done: true }),
        del('c', 0),
        list,
      ]
      const trips = [
        await count(() => sync.sync(who, { client: 'a', cursor: null, changes })),
        await count(() => sync.sync(who, { client: 'b', cursor: null, changes, return: 'lost' })),
        await count(() => sync.push(who, { client: 'c', changes: changes.slice(0, 2), atomic: true })),
        await count(() => sync.pull(who)),
      ]
      expect(trips).toEqual(
        Number.isNaN(opened.roundTrips()) ? [Number.NaN, Number.NaN, Number.NaN, Number.NaN] : [1, 1, 1, 1],
      )
    })

    it('takes one round trip for each database that the scopes of a sync live in', async () => {
      if (Number.isNaN(opened.roundTrips())) return
      const sync = sampleSync(opened.store)
      const who = principal(`many${++scopes}`, { [`team${scopes}`]: 'write', [`news${scopes}`]: 'read' })
      // Connections that are side by side for the first time are made now, and not counted.
      await sync.pull(who)
      const before = opened.roundTrips()
      await sync.sync(who, { client: 'a', cursor: null, changes: [put('a', 0, 'a')] })
      expect(opened.roundTrips() - before).toBe(opened.store.placeOf === onePlace ? 1 : 3)
    })

    it('P5 answers a replay with duplicate and changes no row and no position', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const changes = [put('a', 0, 'a'), del('b', 0), patch('a', 1, { notes: 'n' })]
      await sync.push(who, { client: 'a', changes })
      const before = await sync.pull(who)
      const again = await sync.push(who, { client: 'a', changes })
      expect(again.verdicts.map(({ verdict }) => verdict)).toEqual(['stale', 'duplicate', 'duplicate'])
      expect((await sync.pull(who)).changes).toEqual(before.changes)
      const lost = await sync.push(who, { client: 'a', changes: [del('b', 0)], return: 'lost' })
      expect(lost.verdicts).toEqual([{ verdict: 'duplicate' }])
    })

    it('P5 P12 a stamp that is stored with other content is a duplicate with the row as it is, and is counted', async () => {
      const counts: number[] = []
      const sync = createSync({
        ...{ schema, store: opened.store, now: () => noon / 1000 },
        onSync: ({ conflicting }) => counts.push(conflicting),
      })
      const who = someone()
      const old = [
        put('a', 0, 'old', { amount: 0.1, priority: -0 }),
        put('b', 0, 'same', { notes: 'n' }),
        del('c', 0),
        put('d', 0, 'was there'),
        put('e', 0, 'of a put'),
        put('f', 0, 'first'),
      ]
      await sync.push(who, { client: 'phone', changes: old, return: 'lost' })
      const before = (await sync.pull(who)).changes
      const stored = (id: string) => before.find((one) => one.id === id)
      const push = async (changes: SampleChange[]) =>
        (await sync.push(who, { client: 'phone', changes, return: 'lost' })).verdicts
      // Given in full, or by its defaults, it is the same content.
      expect(await push(old)).toEqual(old.map(() => ({ verdict: 'duplicate' })))
      const spelledOut = put('b', 0, 'same', { notes: 'n', done: false, priority: -0, amount: null, list_id: null })
      expect(await push([spelledOut])).toEqual([{ verdict: 'duplicate' }])
      const other = [
        put('a', 0, 'old', { amount: 0.10000000000000002 }),
        put('b', 0, 'same', { notes: 'm' }),
        put('c', 0, 'back'),
        del('d', 0),
        patch('e', 0, { title: 'of a patch' }),
        put('f', 0, 'first', { done: true }),
      ]
      // A bootstrap leaves it out.
      const tombstone = expect.objectContaining({ op: 'delete', id: 'c', at: noon, by: 'phone' })
      const duplicates = other.map(({ id }) => ({ verdict: 'duplicate', current: stored(id) }))
      expect(await push(other)).toEqual(duplicates.with(2, { verdict: 'duplicate', current: tombstone }))
      expect(await push([other[1] as SampleChange])).toEqual([duplicates[1]])
      // Of several changes of a row, and of two with one stamp in one change set.
      const twice = [
        put('g', 1, 'one'),
        put('g', 1, 'two'),
        put('g', 1, 'one'),
        put('f', 0, 'third'),
        patch('f', 1, { done: true }),
      ]
      expect((await push(twice)).map(({ verdict }) => verdict)).toEqual(
        ['applied', 'duplicate', 'duplicate', 'duplicate', 'applied'],
      ) // biome-ignore format: a list
      await new Promise((resolve) => setTimeout(resolve))
      expect(counts).toEqual([0, 0, 0, 0, 6, 1, 1])
      // Nothing of it is stored.
      const after = (await sync.pull(who)).changes
      expect(after.filter(({ id }) => id < 'f')).toEqual(before.filter(({ id }) => id < 'f'))
    })

    it('P5 the same change set ten times at the same time applies once', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const changes = Array.from({ length: 20 }, (_, n) => put(`r${n}`, 0, 'x'))
      const answers = await Promise.all(Array.from({ length: 10 }, () => sync.push(who, { client: 'a', changes })))
      const verdicts = answers.flatMap((answer) => answer.verdicts.map(({ verdict }) => verdict))
      expect(verdicts.filter((verdict) => verdict === 'applied')).toHaveLength(20)
      expect(verdicts.filter((verdict) => verdict === 'duplicate')).toHaveLength(180)
      const { changes: rows } = await sync.pull(who)
      expect(new Set(rows.map(({ position }) => position)).size).toBe(20)
    })

    it.each(['put', 'patch', 'delete'] as const)(
      'P6 of two stamps at the same time the greater client wins, for a %s',
      async (op) => {
        const sync = sampleSync(opened.store)
        const who = someone()
        const change = (title: string) =>
          op === 'put' ? put('a', 5, title) : op === 'patch' ? patch('a', 5, { title }) : del('a', 5)
        await sync.push(who, { client: 'z', changes: [put('a', 0, 'first')] })
        const verdicts: string[] = []
        for (const client of ['b', 'a', 'c', 'B', 'c']) {
          const answer = await sync.push(who, { client, changes: [change(client)] })
          verdicts.push(...answer.verdicts.map(({ verdict }) => verdict))
        }
        // A patch finds the row alive each time; the others too. ASCII: B is before b.
        expect(verdicts).toEqual(['applied', 'stale', 'applied', 'stale', 'duplicate'])
      },
    )

    it('P8 a delete reaches a client that held the row by its verdict before a full page let its scope begin', async () => {
      const sync = sampleSync(opened.store)
      const team = `team${++scopes}`
      const who = principal(`user${++scopes}`, { [team]: 'write' })
      const inTeam = (change: ReturnType<typeof put>) => ({ ...change, scope: team })
      await sync.push(who, { client: 'a', changes: [put('1', 0, 'one'), put('2', 0, 'two')] })
      // The page ends within the first scope; the verdict gives the row of the second.
      const first = await sync.sync(who, { client: 'a', cursor: null, limit: 1, changes: [inTeam(put('x', 0, 'x'))] })
      expect(first.verdicts).toMatchObject([{ verdict: 'applied', current: { scope: team, id: 'x' } }])
      await sync.push(who, { client: 'b', changes: [inTeam(del('x', 1)), inTeam(del('never', 1))] })
      const rest = await sync.pull(who, { cursor: first.cursor ?? null })
      expect(rest.changes.map(({ op, id }) => `${op} ${id}`)).toEqual(['put 2', 'delete x', 'delete never'])
    })

    it('P8 a late older edit never revives a tombstone, a newer put does, and a tombstone keeps no column', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      await sync.push(who, { client: 'a', changes: [put('a', 0, 'private')] })
      await sync.push(who, { client: 'a', changes: [del('a', 5), del('never seen', 5)] })
      const late = await sync.push(who, {
        client: 'z',
        changes: [
          put('a', 4, 'late'),
          put('never seen', 4, 'late'),
          patch('a', 3, { title: 'x' }),
          patch('never seen', 6, { title: 'x' }),
        ],
      })
      expect(late.verdicts).toMatchObject([
        { verdict: 'stale', current: { op: 'delete', id: 'a' } },
        { verdict: 'stale', current: { op: 'delete', id: 'never seen' } },
        { verdict: 'stale' },
        { verdict: 'rejected', error: { code: 'row_missing' } },
      ])
      expect(late.verdicts[0]).not.toHaveProperty('current.row')
      const [rows] = await exec(
        who.subject,
        `SELECT title, done, priority FROM todos WHERE scope = '${who.subject}' AND id = 'a'`,
      )
      expect(rows).toEqual([[null, null, null]])
      const revived = await sync.push(who, { client: 'a', changes: [put('a', 6, 'back')] })
      expect(revived.verdicts).toMatchObject([
        { verdict: 'applied', action: 'updated', current: { op: 'put', row: { title: 'back' } } },
      ])
    })

    it('P3 P4 pages of every size hand out each row once, in position order, and end where the history ends', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const changes = Array.from({ length: 23 }, (_, n) =>
        n % 3
          ? put(`t${n}`, n, 'x')
          : ({ table: 'lists', op: 'put', id: `l${n}`, at: noon, row: { name: 'x' } } as const),
      )
      await sync.push(who, { client: 'a', changes })
      const whole = await sync.pull(who)
      expect(whole.changes.map(({ position }) => position)).toEqual(Array.from({ length: 23 }, (_, n) => n + 1))
      for (const limit of [1, 2, 7, 22, 23, 24]) {
        const seen: object[] = []
        for (let cursor: string | null = null, more = true; more; ) {
          const page: Awaited<ReturnType<typeof sync.pull>> = await sync.pull(who, { cursor, limit })
          expect(page.changes.length).toBeLessThanOrEqual(limit)
          expect(page.more).toBe(seen.length + page.changes.length < 23)
          seen.push(...page.changes)
          ;({ cursor, more } = page)
        }
        expect(seen).toEqual(whole.changes)
      }
    })

    it('leaves out what this very request wrote and nothing else, and the cursor passes over it', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const first = await sync.sync(who, { client: 'a', cursor: null, changes: [put('mine', 0, 'x')] })
      expect(first.changes).toEqual([])
      await sync.push(who, { client: 'a', changes: [put('mine too', 1, 'x')] })
      const second = await sync.sync(who, {
        client: 'a',
        cursor: first.cursor ?? null,
        changes: [put('now', 2, 'x'), put('mine', -1, 'old')],
      })
      expect(second.changes?.map(({ id }) => id)).toEqual(['mine too'])
      const third = await sync.sync(who, { client: 'a', cursor: second.cursor ?? null })
      expect(third).toMatchObject({ changes: [], more: false, cursor: second.cursor })
    })

    it('P8 a bootstrap leaves out older tombstones, but not that of a row deleted between two of its pages', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      await sync.push(who, {
        client: 'a',
        changes: [put('a', 0, 'x'), put('b', 0, 'x'), del('gone', 0), put('c', 0, 'x')],
      })
      const first = await sync.pull(who, { limit: 1 })
      expect(first.changes.map(({ id }) => id)).toEqual(['a'])
      await sync.push(who, { client: 'b', changes: [del('a', 1)] })
      const rest = await sync.pull(who, { cursor: first.cursor })
      expect(rest.changes.map(({ op, id }) => `${op} ${id}`)).toEqual(['put b', 'put c', 'delete a'])
    })

    it('P9 a cursor below the watermark gets 410 in a pull and in a push, which applies nothing', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const { cursor } = await sync.sync(who, {
        client: 'a',
        cursor: null,
        changes: [put('a', 0, 'x'), put('b', 0, 'x')],
      })
      const begun = await sync.pull(who, { limit: 1 })
      await sync.push(who, { client: 'b', changes: [del('b', 1)] })
      await exec(who.subject, `UPDATE driftline_scopes SET watermark = 3 WHERE scope = '${who.subject}'`)
      for (const old of [cursor, begun.cursor]) {
        const expected = { code: 'resync', members: { reason: 'pruned', scopes: [who.subject] } }
        await expect(sync.pull(who, { cursor: old ?? null })).rejects.toMatchObject(expected)
        await expect(
          sync.push(who, { client: 'a', cursor: old ?? null, changes: [put('c', 0, 'x')] }),
        ).rejects.toMatchObject(expected)
        await expect(
          sync.sync(who, { client: 'a', cursor: old ?? null, changes: [put('c', 0, 'x')] }),
        ).rejects.toMatchObject(expected)
      }
      const fresh = await sync.pull(who, { limit: 1 })
      expect(fresh.changes.map(({ id }) => id)).toEqual(['a'])
      expect((await sync.pull(who, { cursor: fresh.cursor })).more).toBe(false)
      const problem = (await sync.pull(who, { cursor: cursor ?? null }).catch((error) => error)) as {
        members: { cursor: string }
      }
      const resynced = await sync.sync(who, {
        client: 'a',
        cursor: problem.members.cursor,
        changes: [put('c', 0, 'x')],
      })
      expect(resynced.changes?.map(({ id }) => id)).toEqual(['a'])
    })

    it('P9 a stale cursor of one scope stops the push to another, and to both', async () => {
      const sync = sampleSync(opened.store)
      const who = principal(`two${++scopes}`, { [`other${scopes}`]: 'write' })
      const both = [put('a', 0, 'x'), { ...put('a', 0, 'x'), scope: `other${scopes}` }]
      const { cursor = null } = await sync.sync(who, { client: 'a', cursor: null, changes: both })
      await exec(`other${scopes}`, `UPDATE driftline_scopes SET incarnation = 'new' WHERE scope = 'other${scopes}'`)
      const expected = { code: 'resync', members: { reason: 'restored', scopes: [`other${scopes}`] } }
      await expect(
        sync.push(who, {
          client: 'a',
          cursor,
          changes: [put('b', 0, 'x'), { ...put('b', 0, 'x'), scope: `other${scopes}` }],
        }),
      ).rejects.toMatchObject(expected)
      await expect(sync.sync(who, { client: 'a', cursor, changes: [put('b', 0, 'x')] })).rejects.toMatchObject(expected)
      expect((await sync.pull(who)).changes.map(({ id }) => id)).toEqual(['a', 'a'])
    })

    it('P16 a restored or swapped database is noticed by a pull and by a push, which writes nothing', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const { cursor = null } = await sync.sync(who, {
        client: 'a',
        cursor: null,
        changes: [put('a', 0, 'x'), put('b', 0, 'x')],
      })
      const expected = { code: 'resync', members: { reason: 'restored', scopes: [who.subject] } }
      await exec(who.subject, `UPDATE driftline_scopes SET position = 1 WHERE scope = '${who.subject}'`)
      await expect(sync.pull(who, { cursor })).rejects.toMatchObject(expected)
      await expect(sync.push(who, { client: 'a', cursor, changes: [put('c', 0, 'x')] })).rejects.toMatchObject(expected)
      await exec(who.subject, `DELETE FROM driftline_scopes WHERE scope = '${who.subject}'`)
      await expect(sync.pull(who, { cursor })).rejects.toMatchObject(expected)
      await expect(sync.push(who, { client: 'a', cursor, changes: [put('c', 0, 'x')] })).rejects.toMatchObject(expected)
      const [heads] = await exec(who.subject, `SELECT scope FROM driftline_scopes WHERE scope = '${who.subject}'`)
      expect(heads).toEqual([])
    })

    it('P11 a scope that was revoked is named, its rows are not sent, and a granted one bootstraps by itself', async () => {
      const sync = sampleSync(opened.store)
      const team = `team${++scopes}`
      const [before, after] = [principal(`u${scopes}`, { [team]: 'write' }), principal(`u${scopes}`)]
      await sync.push(before, {
        client: 'a',
        changes: [put('mine', 0, 'x'), { ...put('theirs', 0, 'x'), scope: team }],
      })
      const { cursor } = await sync.pull(before)
      const revoked = await sync.pull(after, { cursor })
      expect(revoked).toMatchObject({ changes: [], removed_scopes: [team] })
      expect((await sync.pull(after, { cursor: revoked.cursor })).removed_scopes).toBeUndefined()
      const granted = await sync.pull(before, { cursor: revoked.cursor })
      expect(granted.changes.map(({ id }) => id)).toEqual(['theirs'])
    })

    it("a client's name is a label: two subjects may write by one, and neither does more by it than by a stamp", async () => {
      const sync = sampleSync(opened.store)
      const team = `label${++scopes}`
      const [ana, eve] = [`ana${scopes}`, `eve${scopes}`].map((name) => principal(name, { [team]: 'write' }))
      if (!ana || !eve) throw new Error('two principals')
      const shared = (change: SampleChange) => ({ ...change, scope: team })
      const push = async (who: typeof ana, ...changes: SampleChange[]) =>
        (await sync.push(who, { client: 'phone', changes })).verdicts
      await push(ana, put('private', 0, 'mine'))
      await push(eve, shared(put('a', 1, 'first')))
      // The very same stamp: the first one stays, and whoever comes second is shown it.
      expect(await push(ana, shared(put('a', 1, 'second')))).toMatchObject([
        { verdict: 'duplicate', current: { by: 'phone', row: { title: 'first' } } },
      ])
      // A greater one of either wins, a lesser one is stale, as between two clients.
      expect(await push(ana, shared(put('a', 2, 'ana')))).toMatchObject([{ verdict: 'applied' }])
      expect(await push(eve, shared(put('a', 1, 'eve')))).toMatchObject([{ verdict: 'stale' }])
      // Nothing is hidden from a pull by the name of who wrote it, and no other scope comes with
      // it.
      const pulled = async (who: typeof ana) => (await sync.pull(who)).changes.map(({ scope, id }) => `${scope} ${id}`)
      expect(await pulled(ana)).toEqual([`ana${scopes} private`, `${team} a`])
      expect(await pulled(eve)).toEqual([`${team} a`])
      expect(await push(eve, { ...put('private', 3, 'eve'), scope: `ana${scopes}` })).toMatchObject([
        { verdict: 'rejected', error: { code: 'forbidden_scope', retryable: 'with_another_token' } },
      ])
    })

    it('lays several scopes into one page, never beyond the limit', async () => {
      const sync = sampleSync(opened.store)
      const who = principal(`p${++scopes}`, { [`q${scopes}`]: 'write', [`r${scopes}`]: 'write' })
      const names = [...who.scopes.keys()]
      await sync.push(who, {
        client: 'a',
        changes: names.flatMap((scope) => Array.from({ length: 4 }, (_, n) => ({ ...put(`${n}`, 0, 'x'), scope }))),
      })
      const seen: string[] = []
      const sizes: number[] = []
      for (let cursor: string | null = null, more = true; more; ) {
        const page: Awaited<ReturnType<typeof sync.pull>> = await sync.pull(who, { cursor, limit: 5 })
        sizes.push(page.changes.length)
        seen.push(...page.changes.map(({ scope, id }) => `${scope} ${id}`))
        ;({ cursor, more } = page)
      }
      expect(sizes).toEqual([5, 5, 2])
      expect(seen).toEqual(names.flatMap((scope) => ['0', '1', '2', '3'].map((id) => `${scope} ${id}`)))
    })

    it('an atomic change set is all or nothing and names the first rejected change', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      await sync.push(who, { client: 'z', changes: [put('old', 9, 'newer')] })
      const fails = async (changes: readonly unknown[], index: number, code: string) => {
        const failed = sync.push(who, { client: 'a', atomic: true, changes: changes as never })
        await expect(failed).rejects.toMatchObject({ code: 'atomic_rejected', members: { index, error: { code } } })
      }
      const good = put('good', 0, 'x')
      await fails([good, patch('nothing', 0, { title: 'x' }), { ...good, op: 'x' }], 1, 'row_missing')
      await fails([good, { ...good, op: 'x' }, patch('nothing', 0, { title: 'x' })], 1, 'unknown_op')
      await fails(
        [patch('late', 5, { done: true }), { ...good, scope: 'foreign' }, put('late', 1, 'x')],
        1,
        'forbidden_scope',
      )
      expect((await sync.pull(who)).changes.map(({ id }) => id)).toEqual(['old'])
      const stale = await sync.push(who, { client: 'a', atomic: true, changes: [good, put('old', 1, 'older')] })
      expect(stale.verdicts.map(({ verdict }) => verdict)).toEqual(['applied', 'stale'])
      const two = principal(`a${++scopes}`, { [`b${scopes}`]: 'write' })
      await expect(
        sync.push(two, { client: 'a', atomic: true, changes: [good, { ...good, scope: `b${scopes}` }] }),
      ).rejects.toMatchObject({ code: 'atomic_scopes' })
    })

    it('P12 changes that the database refuses are rejected alone, whatever stands around them', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      await exec(who.subject, `CREATE UNIQUE INDEX one_name ON lists (scope, name) WHERE scope = '${who.subject}'`)
      const list = (id: string, name: string, at = 0) =>
        ({ table: 'lists', op: 'put', id, at: noon + at, row: { name } }) as const
      const changes = Array.from({ length: 40 }, (_, n) =>
        list(`l${n}`, n === 7 || n === 8 || n === 31 ? 'same' : `n${n}`),
      )
      const answer = await sync.sync(who, { client: 'a', cursor: null, changes: [...changes, put('t', 0, 'x')] })
      const rejected = answer.verdicts.flatMap((verdict, index) =>
        verdict.verdict === 'rejected' ? [`${index} ${verdict.error.code}`] : [],
      )
      expect(rejected).toEqual(['8 constraint', '31 constraint'])
      expect(answer.changes).toEqual([])
      expect((await sync.pull(who)).changes).toHaveLength(39)
      const atomic = sync.push(who, {
        client: 'a',
        atomic: true,
        changes: [list('x', 'x', 1), list('y', 'same', 1), list('z', 'same', 1)],
      })
      await expect(atomic).rejects.toMatchObject({
        code: 'atomic_rejected',
        members: { index: 1, error: { code: 'constraint' } },
      })
      expect((await sync.pull(who)).changes).toHaveLength(39)
      // The last needs the first, which stands in another half: it takes the name that the first
      // gives up.
      const moved = await sync.push(who, {
        client: 'a',
        changes: [list('l0', 'moved', 2), list('x', 'same', 2), list('y', 'y', 2), list('z', 'n0', 2)],
      })
      expect(moved.verdicts.map(({ verdict }) => verdict)).toEqual(['applied', 'rejected', 'applied', 'applied'])
      const patched = Array.from({ length: 30 }, (_, n) => `p${n}`)
      const bad = {
        client: 'a',
        atomic: true,
        changes: [...patched.map((id) => list(id, id, 3)), list('q', 'same', 3)],
      }
      const patches = patched.map((id) => ({ table: 'lists', op: 'patch', id, at: noon + 4, row: { name: `${id}!` } }))
      await expect(sync.push(who, { ...bad, changes: [...patches, ...bad.changes] as never })).rejects.toMatchObject({
        members: { index: 60, error: { code: 'constraint' } },
      })
      await exec(who.subject, 'DROP INDEX one_name')
    })

    it('ends a page early when its rows are large, one row at least, and hands out all of them', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const large = 'é'.repeat(400_000)
      for (let n = 0; n < 8; n++)
        await sync.push(who, { client: 'a', changes: [put(`l${n}`, 0, large), put(`s${n}`, 0, 'small')] })
      const seen: string[] = []
      let pages = 0
      for (let cursor: string | null = null, more = true; more; pages++) {
        const page: Awaited<ReturnType<typeof sync.pull>> = await sync.pull(who, { cursor })
        expect(JSON.stringify(page.changes).length).toBeLessThan(5_000_000)
        seen.push(...page.changes.map(({ id }) => id))
        ;({ cursor, more } = page)
      }
      expect(seen).toHaveLength(16)
      expect(new Set(seen).size).toBe(16)
      expect(pages).toBeGreaterThan(1)
    })

    it('P12 P13 refuses a push whose verdicts would repeat too many large rows, applies none of it, and takes it in parts', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      const large = 'é'.repeat(400_000)
      const ids = Array.from({ length: 20 }, (_, n) => `l${n}`)
      for (const id of ids) await sync.push(who, { client: 'b', changes: [put(id, 10, large)] })
      const push = (changes: SampleChange[], more = {}) => sync.push(who, { client: 'a', changes, ...more })
      const older = ids.map((id) => put(id, 0, 'older'))
      const patches = Array.from({ length: 3000 }, (_, n) => patch('l0', 20 + n, { done: true }))
      const tooLarge = { code: 'answer_too_large' }
      await expect(push([...older, put('new', 0, 'new')])).rejects.toMatchObject(tooLarge)
      await expect(push(patches)).rejects.toMatchObject(tooLarge)
      await expect(push(patches, { atomic: true })).rejects.toMatchObject(tooLarge)
      const overwritten = Array.from({ length: 30 }, (_, n) => patch('m', 20 + n, { done: true }))
      await expect(push([put('m', 0, large), ...overwritten])).rejects.toMatchObject(tooLarge)
      expect((await push([del('none', 0)])).verdicts).toMatchObject([{ current: { position: ids.length + 1 } }])

      const half = await push(older.slice(10))
      expect(half.verdicts.map(({ verdict }) => verdict)).toEqual(Array(10).fill('stale'))
      expect(half.verdicts).toMatchObject(older.slice(10).map(({ id }) => ({ current: { id, row: { title: large } } })))
      const some = await push(patches.slice(0, 9))
      expect(some.verdicts.every(({ verdict }) => verdict === 'applied')).toBe(true)
      const many = await push(Array.from({ length: 3000 }, (_, n) => put(`s${n}`, 0, 'small')))
      expect(many.verdicts.every(({ verdict }) => verdict === 'applied')).toBe(true)
    })

    it('P12 takes a change set of 5,000, a quarter of it stale, and answers each change in its place', async () => {
      const sync = sampleSync(opened.store)
      const who = someone()
      await sync.push(who, {
        client: 'z',
        changes: Array.from({ length: 1250 }, (_, n) => put(`id${n * 4}`, 10, 'newer')),
      })
      const changes = Array.from({ length: 5000 }, (_, n) => put(`id${n}`, n % 4 ? 0 : 5, `t${n}`))
      const { verdicts } = await sync.push(who, { client: 'a', changes, return: 'lost' })
      expect(verdicts).toHaveLength(5000)
      for (const [index, verdict] of verdicts.entries()) {
        if (index % 4) expect(verdict).toEqual({ verdict: 'applied', action: 'inserted' })
        else expect(verdict).toMatchObject({ verdict: 'stale', current: { id: `id${index}`, row: { title: 'newer' } } })
      }
    })

    it.each([Number.POSITIVE_INFINITY, Number.NaN, 2 ** 53, 0.5])(
      'the number %d is no parameter: a TypeError says so before anything is sent',
      async (value) => {
        const before = opened.roundTrips()
        const statement = { sql: `SELECT ${opened.store.dialect.param(1)}`, params: [value] }
        const error = { name: 'TypeError', message: expect.stringContaining(`${value}, which is no safe integer`) }
        await expect(opened.store.batch('someone', [statement])).rejects.toMatchObject(error)
        const rehearsing = opened.store.rehearse?.('someone', { opening: [], groups: [[statement]], closing: [] })
        if (rehearsing) await expect(rehearsing).rejects.toMatchObject(error)
        expect(opened.roundTrips()).toBe(before)
      },
    )

    it('the text of an answer is what JSON.stringify would write, byte for byte', async () => {
      const sync = createSync({ schema, store: opened.store, now: () => noon / 1000 })
      const who = someone()
      await sync.push(who, {
        client: 'a',
        changes: [
          put('"\\\u2028 \ud83d\ude00', 0, '\u0001\u001f\u007f\ufffe"\\/\b\f\n\r\t', { amount: 1e-7, notes: '\t' }),
          put('b', 0, 'b', { amount: -0 }),
        ],
      })
      const answer = await createOperations({ schema, store: opened.store }).pull(who, { cursor: null, limit: 10 })
      const text = pullToJson(answer)
      expect(JSON.stringify(JSON.parse(text))).toBe(text)
    })
  })
}
