import { retryConflicts } from '../../stores/store.ts'
import { equal } from '../assert.ts'
import { type Checks, read, run } from '../check.ts'
import { lines, makeWords } from '../words.ts'

const times = <Result>(count: number, work: (n: number) => Promise<Result>) =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))

/** Batches that run at the same time: a store may fail one by a conflict, and it is sent again. */
export const raceChecks: Checks = {
  'P3 a batch waits for another that has written the same row, and goes on from what that one committed': async (
    trial,
  ) => {
    const { batch, add, count } = await makeWords(trial)
    await batch(add(1, 'one', 1))
    const counted = await times(20, () => retryConflicts(() => batch(count(1, 1))))
    const seen = counted.flatMap((results) => lines(results).flat())
    equal(
      seen.map(Number).toSorted((one, other) => one - other),
      Array.from({ length: 20 }, (_, n) => n + 2),
    )
  },

  'P3 nobody reads the half of a batch, or what is older than he has read': async (trial) => {
    const { batch, add, count } = await makeWords(trial)
    await batch(add(0, 'head', 1))
    const follow = run(
      "INSERT INTO suite_words (id, word, n) SELECT n, 'w' || CAST(n AS text), 1 FROM suite_words WHERE id = 0",
    )
    const look = read(
      'SELECT n, (SELECT count(*) FROM suite_words WHERE id > 0) AS rows_seen FROM suite_words WHERE id = 0',
    )
    let writing = true
    const reading = times(2, async () => {
      for (let last = 0; writing; ) {
        const [head = 0, rows] = (lines(await batch(look))[0]?.[0] ?? '').split(' ').map(Number)
        equal([rows, head >= last], [head - 1, true])
        last = head
      }
    })
    try {
      await times(4, async () => {
        for (let n = 0; n < 8; n++) await retryConflicts(() => batch(count(0, 1), follow))
      })
    } finally {
      writing = false
      await reading
    }
    equal(lines(await batch(look)), [['33 32']])
  },

  'P13 of many batches that write one key one is applied, and the others are refused': async (trial) => {
    const { batch, add, stored } = await makeWords(trial)
    const written = await times(10, (n) =>
      retryConflicts(() => batch(add(n + 1, `w${n}`), add(100, 'same'))).then(
        () => 'applied',
        ({ kind }) => String(kind),
      ),
    )
    equal(written.toSorted(), ['applied', ...Array(9).fill('refused')])
    equal((await stored()).length, 2)
  },
}
