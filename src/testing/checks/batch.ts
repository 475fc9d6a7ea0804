import { equal, fails } from '../assert.ts'
import { type Checks, read, run } from '../check.ts'
import { lines, makeWords } from '../words.ts'

const texts = ['', ' ', "'", '"', '\\', '?', '?1', '$1', ':a', '%', '{}', 'é', '\u2028', '😀', '\u0001', '\t\n\r']

/** What `Store.batch` says of itself. */
export const batchChecks: Checks = {
  'gives the rows of each statement in its place, a cell for each column in its order, and no row where there is none':
    async (trial) => {
      const { batch, add, all, size } = await makeWords(trial)
      const nobody = read("SELECT id FROM suite_words WHERE word = 'nobody'")
      const results = await batch(add(2, 'two'), all, add(1, 'one'), nobody, all, size)
      equal(lines(results), [[], ['2 two'], [], [], ['1 one', '2 two'], ['2']])
      equal(lines(await batch(nobody, all, size)), [[], ['1 one', '2 two'], ['2']])
    },

  'gives what RETURNING returns, and keeps what it wrote': async (trial) => {
    const { batch, add, count } = await makeWords(trial)
    equal(lines(await batch(add(1, 'one', 5), count(1, 2), count(7, 1), count(1, -3))), [[], ['7'], [], ['4']])
    equal(lines(await batch(count(1, 1))), [['5']])
  },

  'gives both of two columns of one name': async (trial) => {
    const { batch, add } = await makeWords(trial)
    await batch(add(1, 'one', 3))
    equal(lines(await batch(read('SELECT n AS a, word AS a, id FROM suite_words'))), [['3 one 1']])
  },

  'answers a batch of no statement with nothing': async (trial) => {
    const { batch } = await makeWords(trial)
    equal(await batch(), [])
  },

  'P13 keeps nothing of a batch of which a statement fails, wherever it stands': async (trial) => {
    const { batch, add, stored } = await makeWords(trial)
    await batch(add(0, 'kept'))
    const bad = [add(9, 'kept'), add(9, 'nine', 0), run('INSERT INTO nowhere VALUES (1)')]
    for (const one of bad) {
      for (const statements of [[one], [add(1, 'a'), one], [one, add(1, 'a')], [add(1, 'a'), one, add(2, 'b')]])
        await fails(batch(...statements), { name: 'StoreFault' })
      equal(await stored(), ['0 kept'])
    }
    await batch(add(1, 'a'))
    equal(await stored(), ['0 kept', '1 a'])
  },

  'P2 reads by a batch that only reads what a batch before it has committed, each time': async (trial) => {
    const { batch, add, size } = await makeWords(trial)
    for (let id = 1; id <= 50; id++) {
      await batch(add(id, `w${id}`))
      equal(lines(await batch(size)), [[`${id}`]])
    }
  },

  'answers what reads alike, whether or not it says that it reads': async (trial) => {
    const { batch, add, all, size } = await makeWords(trial)
    await batch(add(1, 'a'), add(2, 'b'))
    const told = lines(await batch(all, size))
    equal(told, [['1 a', '2 b'], ['2']])
    equal(lines(await batch(run(all.sql), run(size.sql))), told)
    equal(lines(await batch(all, run(size.sql))), told)
  },

  'gives a text back as it was sent, whatever it holds': async (trial) => {
    const { batch, add } = await makeWords(trial)
    const { param } = trial.store.dialect
    await batch(...texts.map((text, id) => add(id + 1, text)))
    const [rows = []] = await batch(read('SELECT word FROM suite_words ORDER BY id'))
    equal(
      rows.map(([word]) => word),
      texts,
    )
    for (const text of texts)
      equal((await batch(read(`SELECT word FROM suite_words WHERE word = ${param(1)}`, text)))[0]?.length, 1)
  },

  'P7 takes every safe integer, and null for none': async (trial) => {
    const { batch, add } = await makeWords(trial)
    const { param } = trial.store.dialect
    const numbers = [0, -1, 2 ** 31, -(2 ** 53) + 1, 2 ** 53 - 1]
    await batch(...numbers.map((id) => add(id, `w${id}`)))
    const sorted = numbers.toSorted((one, other) => one - other).map(String)
    equal(lines(await batch(read('SELECT id FROM suite_words ORDER BY id'))), [sorted])
    const isNull = `SELECT count(*) AS n FROM suite_words WHERE CAST(${param(1)} AS text) IS NULL`
    equal(lines(await batch(read(isNull, null), read(isNull, ''))), [[`${numbers.length}`], ['0']])
  },

  'takes a parameter twice, and in any order': async (trial) => {
    const { batch, add } = await makeWords(trial)
    const { param } = trial.store.dialect
    await batch(add(1, 'a'), add(2, 'b'))
    const sql = `SELECT word FROM suite_words WHERE word = ${param(2)} OR (word = ${param(1)} AND word <> ${param(2)}) ORDER BY id`
    equal(lines(await batch(read(sql, 'a', 'b'), read(sql, 'b', 'b'))), [['a', 'b'], ['b']])
  },

  'runs two hundred statements in their order, as one batch': async (trial) => {
    const { batch, add, count, size } = await makeWords(trial)
    const before = trial.roundTrips?.()
    const steps = Array.from({ length: 198 }, () => count(1, 1))
    const results = lines(await batch(add(1, 'one'), ...steps, size))
    equal(results, [[], ...steps.map((_, n) => [`${n + 2}`]), ['1']])
    if (before !== undefined) equal((trial.roundTrips?.() ?? 0) - before, 1)
  },

  ...Object.fromEntries(
    [Number.POSITIVE_INFINITY, Number.NaN, 2 ** 53, 0.5].map((value) => [
      `the number ${value} is no parameter: a TypeError says so before anything is sent`,
      async ({ store, roundTrips, scope }) => {
        const before = roundTrips?.()
        const statement = { sql: `SELECT ${store.dialect.param(1)}`, params: [value] }
        const where = scope()
        const isTold = ({ name, message }: Error) => equal([name, message.includes(`${value}`)], ['TypeError', true])
        isTold(await fails(store.batch(where, [statement]), {}))
        const rehearsing = store.rehearse?.(where, { opening: [], groups: [[statement]], closing: [] })
        if (rehearsing) isTold(await fails(rehearsing, {}))
        equal(roundTrips?.(), before)
      },
    ]) satisfies [string, Checks[string]][],
  ),
}
