import { limits } from '../../model/limits.ts'
import { equal } from '../assert.ts'
import { type Checks, read } from '../check.ts'
import { lines, makeWords } from '../words.ts'

/** What a store says of `limits` it takes, and where it says nothing, all that driftline sends. */
export const limitChecks: Checks = {
  'takes a parameter of as many bytes as it says, or of a whole request': async (trial) => {
    const { batch, add } = await makeWords(trial)
    await batch(add(1, 'one'))
    const { dialect, limits: own } = trial.store
    const bytes = own?.paramBytesMax ?? limits.bodyBytesMax
    const sql = `SELECT length(CAST(${dialect.param(1)} AS text)) AS chars FROM suite_words`
    equal(lines(await batch(read(sql, 'x'.repeat(bytes)))), [[`${bytes}`]])
    const wide = Math.floor(bytes / 3)
    equal(lines(await batch(read(sql, '\u20ac'.repeat(wide)))), [[`${wide}`]])
  },

  'takes a statement of as many bytes as it says, or of 100,000': async (trial) => {
    const { batch, add } = await makeWords(trial)
    await batch(add(1, 'one'))
    const sql = 'SELECT id FROM suite_words WHERE word <> '
    const bytes = trial.store.limits?.sqlBytesMax ?? 100_000
    const padded = `${sql}'${'x'.repeat(bytes - sql.length - 2)}'`
    equal(lines(await batch(read(padded))), [['1']])
  },

  'gives a result of as many columns as it says, or of 500': async (trial) => {
    const { batch, add } = await makeWords(trial)
    await batch(add(1, 'one'))
    const columns = Array.from({ length: trial.store.limits?.resultColumnsMax ?? 500 }, (_, n) => n)
    const sql = `SELECT ${columns.map((n) => `${n} AS c${n}`).join(', ')} FROM suite_words`
    equal(lines(await batch(read(sql))), [[columns.join(' ')]])
  },
}
