import type { Statement } from '../../sql/statement.ts'
import { StoreFault } from '../../stores/store.ts'
import { equal, fails } from '../assert.ts'
import { type Checks, read, run } from '../check.ts'
import { makeWords } from '../words.ts'

/** What a batch fails with: everything that driftline answers hangs on the kind. */
export const faultChecks: Checks = {
  'P12 P13 what the rows are at fault for is refused, and the constraint is named where it says which': async (
    trial,
  ) => {
    const { batch, add, rename, stored } = await makeWords(trial)
    await batch(add(1, 'one'), add(2, 'two'))
    const param = trial.store.dialect.param(1)
    const refused: readonly (readonly [Statement, RegExp | undefined])[] = [
      [add(3, 'one'), /suite_word/],
      [add(3, 'three', 0), /suite_above_zero/],
      [rename('one', 'two'), /suite_word/],
      [add(1, 'again'), undefined],
      [run(`INSERT INTO suite_words (id, word, n) VALUES (4, ${param}, 1)`, null), undefined],
    ]
    for (const [statement, name] of refused) {
      const fault = await fails(batch(statement), { name: 'StoreFault', kind: 'refused' })
      const { constraint } = fault as StoreFault
      if (name !== undefined && constraint !== undefined) equal([constraint, name.test(constraint)], [constraint, true])
    }
    equal(await stored(), ['1 one', '2 two'])
  },

  'P13 a table, a column or a word of SQL that is not there is broken, in what reads and in what writes': async (
    trial,
  ) => {
    const { batch, add, stored } = await makeWords(trial)
    const texts = ['SELECT id FROM suite_nowhere', 'SELECT nothing FROM suite_words', 'SELECT FROM FROM']
    for (const sql of texts) {
      await fails(batch(read(sql)), { name: 'StoreFault', kind: 'broken' })
      await fails(batch(add(1, 'one'), run(sql)), { name: 'StoreFault', kind: 'broken' })
    }
    equal(await stored(), [])
  },

  'a statement that undoes its batch on purpose is refused, and its text stands in the message': async (trial) => {
    const { batch, add, stored } = await makeWords(trial)
    const text = 'suite_raised_0123456789abcdef_'
    const raise = `SELECT ${trial.store.dialect.raise(text, 'suite_words.n')} AS raised FROM suite_words WHERE id = 1`
    // Of no row it raises nothing.
    await batch(run(raise))
    for (const statements of [[run(raise)], [read(raise)], [add(3, 'three'), run(raise), add(4, 'four')]]) {
      const fault = await fails(batch(add(1, 'one'), ...statements), { name: 'StoreFault', kind: 'refused' })
      equal([fault.message, fault.message.includes(text)], [fault.message, true])
      equal(await stored(), [])
    }
  },

  'P2 goes on after faults of every kind, and loses nothing that is written between them': async (trial) => {
    const { batch, add, stored } = await makeWords(trial)
    const kept: string[] = []
    for (let id = 1; id <= 12; id++) {
      const bad = [add(id, 'taken'), run('SELECT id FROM suite_nowhere'), add(id, `w${id}`, 0)][id % 3] as Statement
      if (id === 1) await batch(add(0, 'taken'))
      await fails(batch(add(id + 100, `bad${id}`), bad), { name: 'StoreFault' })
      await batch(add(id, `w${id}`))
      kept.push(`${id} w${id}`)
    }
    equal(await stored(), ['0 taken', ...kept])
  },

  'P13 a database that is away, where the suite can take it away, is a transient fault, and the same again works':
    async (trial) => {
      const { batch, add, all, stored } = await makeWords(trial)
      await batch(add(1, 'before'))
      const comesBack = await trial.away?.()
      if (!comesBack) return
      try {
        await fails(batch(add(2, 'away')), { name: 'StoreFault', kind: 'transient' })
        await fails(batch(all), { name: 'StoreFault', kind: 'transient' })
      } finally {
        await comesBack()
      }
      await untilBack(() => batch(add(2, 'after')))
      equal(await stored(), ['1 before', '2 after'])
    },
}

/** A pool may hold connections that broke, and learns of each by a batch that fails. */
async function untilBack(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await work()
      return
    } catch (fault) {
      if (!(fault instanceof StoreFault) || fault.kind !== 'transient' || tries === 20) throw fault
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
