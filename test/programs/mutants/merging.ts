// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sources' own templates are searched and replaced
/** Bugs of columns that merge, and of keys that are unique. */
import type { Mutant } from './mutant.ts'

const tried = (file: string, kind: string) => {
  return (
    name: string,
    title: string,
    ...edits: readonly (readonly [file: string, search: string, by: string])[]
  ): Mutant => ({
    name: `${kind}: ${name}`,
    store: 'libsql file',
    race: { file, title: `on libsql file .*${title}`, why: 'its tables have no rules', alone: true },
    edits: edits.map(([file, search, replace]) => ({ file, search, replace })),
  })
}
const merging = tried('test/stores/merge.test.ts', 'merging')
const keys = tried('test/stores/keys.test.ts', 'keys')

export const mergeMutants: readonly Mutant[] = [
  merging('an add counts each time that it is sent', 'what is added counts once', [
    'src/sql/counter-sql.ts',
    'WHERE ${counts} AND known$.position IS NULL${condition}',
    'WHERE ${counts}${condition}',
  ]),
  merging('an add that is older than the last set counts', 'what is added counts once', [
    'src/sql/counter-sql.ts',
    "(${setAt} IS NULL OR ${setAt} < ${dialect.stampText('sent$.at$', client)})",
    '1 = 1',
  ]),
  merging('an add of the first life counts for the second', 'an add from before the deletion', [
    'src/sql/merge-sql.ts',
    'WHEN stored$.deleted AND NOT excluded.deleted THEN ${before} END',
    'END',
  ]),
  merging('a set counts what was added to the first life', 'an add from before the deletion', [
    'src/sync/push/plan-table.ts',
    "if (sql.adds && based.some(({ base }) => base?.op === 'delete'))",
    'if (sql.adds && based.length < 0)',
  ]),
  merging(
    'what is forgotten may be counted again',
    'forgetting lets no add count twice',
    ['src/sync/push/write-scope.ts', 'if (old.length > 0) {', 'if (old.length < 0) {'],
    ['src/sync/push/plan.ts', 'if (oldest !== undefined)', 'if (oldest === 0)'],
  ),
  merging('the greatest value is judged by the stamp', 'the greatest, the least and the first', [
    'src/sql/merge-sql.ts',
    'CASE WHEN ${bothLive} THEN ${lives} WHEN',
    'CASE WHEN ${bothLive} AND ${isLater} THEN ${lives} WHEN',
  ]),
  merging('a base that is older than the row outlasts a put of the whole row', 'P1 two patches of different columns', [
    'src/sql/merge-sql.ts',
    'AND (${wins}) THEN NULL WHEN',
    'AND (${wins}) THEN ${stored(base)} WHEN',
  ]),
  merging('the stamps of columns are compared without their clients', 'of two patches at one time', [
    'src/sql/sqlite/dialect.ts',
    "(printf('%016d', ${at}) || ${by})",
    "(printf('%016d', ${at}) || 'a')",
  ]),
  merging('a change that asks for a row as it was seen is added whatever the row is', 'if: a change applies only', [
    'src/sql/counter-sql.ts',
    'const isSeen = ` AND ${isStillSeen(client)}`',
    'const isSeen = ` AND (sent$.own_at$ IS NOT NULL)`',
  ]),
  keys('a taken key takes what comes behind it along', 'several changes of one row', [
    'src/sync/push/split-passes.ts',
    "if (before.op === 'patch' && change.op === 'patch' && saysKey(before)) return true",
    'if (before.id !== change.id) return true',
  ]),
]
