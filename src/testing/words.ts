import type { Statement } from '../sql/statement.ts'
import type { Store } from '../stores/store.ts'
import { read, run, type Trial } from './check.ts'

/** A table that knows nothing of driftline, in the database of one scope. */
export interface Words {
  readonly scope: string
  add(id: number, word: string, n?: number): Statement
  rename(from: string, to: string): Statement
  count(id: number, by: number): Statement
  remove(id: number): Statement
  /** Reads ids and words, in the order of ids. */
  readonly all: Statement
  readonly size: Statement
  batch(...statements: readonly Statement[]): ReturnType<Store['batch']>
  /** Ids and words as they are stored, each as text: a driver may give integers so. */
  stored(): Promise<string[]>
}

const create = `CREATE TABLE IF NOT EXISTS suite_words (id bigint NOT NULL PRIMARY KEY, word text NOT NULL,
n bigint NOT NULL, CONSTRAINT suite_word UNIQUE (word), CONSTRAINT suite_above_zero CHECK (n > 0))`

/** Makes it, or empties it: many scopes may live in one database. */
export async function makeWords({ store, scope }: Pick<Trial, 'store' | 'scope'>, name = scope()): Promise<Words> {
  const { param } = store.dialect
  const [one, two, three] = [param(1), param(2), param(3)]
  await store.batch(name, [run(create), run('DELETE FROM suite_words')])
  const batch = (...statements: readonly Statement[]) => store.batch(name, statements)
  const all = read('SELECT id, word FROM suite_words ORDER BY id')
  return {
    scope: name,
    add: (id, word, n = 1) =>
      run(`INSERT INTO suite_words (id, word, n) VALUES (${one}, ${two}, ${three})`, id, word, n),
    rename: (from, to) => run(`UPDATE suite_words SET word = ${two} WHERE word = ${one}`, from, to),
    count: (id, by) =>
      run(`UPDATE suite_words SET n = n + CAST(${two} AS bigint) WHERE id = ${one} RETURNING n`, id, by),
    remove: (id) => run(`DELETE FROM suite_words WHERE id = ${one}`, id),
    all,
    size: read('SELECT count(*) AS size FROM suite_words'),
    batch,
    stored: async () => lines(await batch(all))[0] ?? [],
  }
}

/** Rows of each statement, a text each. */
export function lines(results: Awaited<ReturnType<Store['batch']>>): string[][] {
  return results.map((rows) => rows.map((cells) => Array.from(cells, String).join(' ')))
}
