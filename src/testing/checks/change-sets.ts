import { equal, fails, includes } from '../assert.ts'
import type { Checks } from '../check.ts'
import { noon, patch, principal, put, type SampleChange, sampleSync } from '../sample.ts'

const list = (id: string, name: string, at = 0) =>
  ({ table: 'lists', op: 'put', id, at: noon + at, row: { name } }) as const
const verdictsOf = ({ verdicts }: { readonly verdicts: readonly { readonly verdict: string }[] }) =>
  verdicts.map(({ verdict }) => verdict)

/** Several changes together, some of which are bad. */
export const changeSetChecks: Checks = {
  'an atomic change set is all or nothing and names the first rejected change': async ({ store, scope, someone }) => {
    const sync = sampleSync(store)
    const who = someone()
    await sync.push(who, { client: 'z', changes: [put('old', 9, 'newer')] })
    const refused = async (changes: readonly unknown[], index: number, code: string) => {
      const failed = sync.push(who, { client: 'a', atomic: true, changes: changes as never })
      await fails(failed, { code: 'atomic_rejected', members: { index, error: { code } } })
    }
    const good = put('good', 0, 'x')
    const badOp = { ...good, op: 'x' }
    await refused([good, patch('nothing', 0, { title: 'x' }), badOp], 1, 'row_missing')
    await refused([good, badOp, patch('nothing', 0, { title: 'x' })], 1, 'unknown_op')
    const foreign = { ...put('late', 0, 'x'), scope: 'foreign' }
    await refused([patch('late', 5, { done: true }), foreign, put('late', 1, 'x')], 1, 'forbidden_scope')
    equal(
      (await sync.pull(who)).changes.map(({ id }) => id),
      ['old'],
    )
    const stale = await sync.push(who, { client: 'a', atomic: true, changes: [good, put('old', 1, 'older')] })
    equal(verdictsOf(stale), ['applied', 'stale'])
    const other = scope('other')
    const both = principal(scope('both'), { [other]: 'write' })
    const changes = [good, { ...good, scope: other }]
    await fails(sync.push(both, { client: 'a', atomic: true, changes }), { code: 'atomic_scopes' })
  },

  'P12 changes that the database refuses are rejected alone, whatever stands around them': async ({
    store,
    someone,
    exec,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    const push = (changes: readonly SampleChange[], more = {}) => sync.push(who, { client: 'a', changes, ...more })
    await exec(who.subject, `CREATE UNIQUE INDEX one_name ON lists (scope, name) WHERE scope = '${who.subject}'`)
    const isSame = new Set([7, 8, 31])
    const changes = Array.from({ length: 40 }, (_, n) => list(`l${n}`, isSame.has(n) ? 'same' : `n${n}`))
    const answer = await sync.sync(who, { client: 'a', cursor: null, changes: [...changes, put('t', 0, 'x')] })
    const rejected = answer.verdicts.flatMap((verdict, index) =>
      verdict.verdict === 'rejected' ? [`${index} ${verdict.error.code}`] : [],
    )
    equal([rejected, answer.changes], [['8 constraint', '31 constraint'], []])
    equal((await sync.pull(who)).changes.length, 39)
    const atomic = push([list('x', 'x', 1), list('y', 'same', 1), list('z', 'same', 1)], { atomic: true })
    await fails(atomic, { code: 'atomic_rejected', members: { index: 1, error: { code: 'constraint' } } })
    equal((await sync.pull(who)).changes.length, 39)
    // The last needs the first, which stands in another half: it takes the name that the first
    // gives up.
    const moved = [list('l0', 'moved', 2), list('x', 'same', 2), list('y', 'y', 2), list('z', 'n0', 2)]
    equal(verdictsOf(await push(moved)), ['applied', 'rejected', 'applied', 'applied'])
    const ids = Array.from({ length: 30 }, (_, n) => `p${n}`)
    const puts = [...ids.map((id) => list(id, id, 3)), list('q', 'same', 3)]
    const patches = ids.map(
      (id): SampleChange => ({ table: 'lists', op: 'patch', id, at: noon + 4, row: { name: `${id}!` } }),
    )
    const error = { code: 'constraint' }
    await fails(push([...patches, ...puts], { atomic: true }), { members: { index: 60, error } })
    await exec(who.subject, 'DROP INDEX one_name')
  },

  'P12 takes a change set of 5,000, a quarter of it stale, and answers each change in its place': async ({
    store,
    someone,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    const newer = Array.from({ length: 1250 }, (_, n) => put(`id${n * 4}`, 10, 'newer'))
    await sync.push(who, { client: 'z', changes: newer })
    const changes = Array.from({ length: 5000 }, (_, n) => put(`id${n}`, n % 4 ? 0 : 5, `t${n}`))
    const { verdicts } = await sync.push(who, { client: 'a', changes, return: 'lost' })
    equal(verdicts.length, 5000)
    for (const [index, verdict] of verdicts.entries()) {
      if (index % 4) equal(verdict, { verdict: 'applied', action: 'inserted' })
      else includes(verdict, { verdict: 'stale', current: { id: `id${index}`, row: { title: 'newer' } } })
    }
  },
}
