import type { Statement } from '../../sql/statement.ts'
import { equal, fails } from '../assert.ts'
import { type Checks, run, type Trial } from '../check.ts'
import { lines, makeWords } from '../words.ts'

const nowhere = run('SELECT 1 FROM suite_nowhere')

/** A rehearsal on words of which one is kept. None: the store cannot rehearse, and need not. */
async function prepare(trial: Trial) {
  const { rehearse } = trial.store
  if (!rehearse) return undefined
  const words = await makeWords(trial)
  await words.batch(words.add(0, 'kept'))
  return {
    ...words,
    async rehearse(
      groups: readonly (readonly Statement[])[],
      closing: readonly Statement[] = [words.all],
      opening: readonly Statement[] = [],
    ) {
      const told = await rehearse.call(trial.store, words.scope, { opening, groups, closing })
      equal(await words.stored(), ['0 kept'])
      return { kinds: told.faults.map((fault) => fault?.kind), closing: lines(told.closing.map((rows) => [...rows])) }
    },
  }
}

/** What `Store.rehearse` says of itself, for a store that has it. */
export const rehearsalChecks: Checks = {
  'P13 a rehearsal says which groups the database would take, in their order, and keeps nothing': async (trial) => {
    const on = await prepare(trial)
    if (!on) return
    const { add, rehearse } = on
    const told = await rehearse([[add(1, 'a')], [add(2, 'b', 0)], [add(3, 'c')], [add(4, 'a')]])
    equal(told, { kinds: [undefined, 'refused', undefined, 'refused'], closing: [['0 kept', '1 a', '3 c']] })
  },

  'a rehearsal undoes the whole of a group that fails, and nothing of its neighbours': async (trial) => {
    const on = await prepare(trial)
    if (!on) return
    const { add, rehearse } = on
    const groups = [[add(1, 'a')], [add(2, 'b'), add(3, 'c'), add(4, 'd', 0)], [add(2, 'b'), add(3, 'c')]]
    const closing = [['0 kept', '1 a', '2 b', '3 c']]
    equal(await rehearse(groups), { kinds: [undefined, 'refused', undefined], closing })
  },

  'a group of a rehearsal sees the opening, and what passed before it': async (trial) => {
    const on = await prepare(trial)
    if (!on) return
    const { add, rename, all, size, rehearse } = on
    const groups = [[add(2, 'kept')], [rename('kept', 'moved')], [add(3, 'kept')], [add(4, 'opened')]]
    equal(await rehearse(groups, [all, size], [add(1, 'opened')]), {
      kinds: ['refused', undefined, undefined, 'refused'],
      closing: [['0 moved', '1 opened', '3 kept'], ['3']],
    })
  },

  'a rehearsal takes no group, one alone, an empty one, and none but bad ones': async (trial) => {
    const on = await prepare(trial)
    if (!on) return
    const { add, rehearse } = on
    const cases: readonly (readonly [Statement[][], (string | undefined)[]])[] = [
      [[], []],
      [[[add(1, 'a')]], [undefined]],
      [[[add(1, 'kept')]], ['refused']],
      [[[]], [undefined]],
      [[1, 2, 3].map((id) => [add(id, 'kept')]), ['refused', 'refused', 'refused']],
    ]
    for (const [groups, kinds] of cases) {
      equal((await rehearse(groups)).kinds, kinds)
      equal(await rehearse(groups, []), { kinds, closing: [] })
    }
  },

  'a rehearsal throws a fault of its opening and of its closing, and keeps nothing': async (trial) => {
    const on = await prepare(trial)
    if (!on) return
    const { add, remove, batch, stored, rehearse } = on
    await fails(rehearse([[add(1, 'a')]], [], [add(2, 'kept')]), { name: 'StoreFault', kind: 'refused' })
    await fails(rehearse([[add(1, 'a')]], [nowhere]), { name: 'StoreFault', kind: 'broken' })
    equal(await stored(), ['0 kept'])
    await batch(add(1, 'after'), remove(1))
  },

  'P2 a rehearsal runs a statement again that failed, two thousand times, and what is written afterwards is there':
    async (trial) => {
      const on = await prepare(trial)
      if (!on) return
      const { add, size, batch, stored, rehearse } = on
      const groups = Array.from({ length: 2_000 }, (_, n) => [add(n + 1, `w${n >> 1}`)])
      const kinds = groups.map((_, n) => (n % 2 ? 'refused' : undefined))
      equal(await rehearse(groups, [size]), { kinds, closing: [['1001']] })
      await batch(add(1, 'w0'), add(2, 'w1'))
      equal(await stored(), ['0 kept', '1 w0', '2 w1'])
    },
}
