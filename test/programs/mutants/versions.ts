// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sources' own templates are searched and replaced
/** Bugs of what becomes of apps and servers of two versions. */
import type { Mutant } from './mutant.ts'

const version = (name: string, title: string, file: string, search: string, replace: string): Mutant => ({
  name: `versions: ${name}`,
  store: 'libsql file',
  race: { file: 'test/stores/versions.test.ts', title, why: 'its phones and servers have one version', alone: true },
  edits: [{ file, search, replace }],
})

export const versionMutants: readonly Mutant[] = [
  version(
    'a put empties columns that its app does not know',
    'on libsql file .*a put leaves columns',
    'src/sql/bulk-sql.ts',
    'kept ? asItIs(column)',
    'false ? asItIs(column)',
  ),
  version(
    'a row that is revived has columns of its first life',
    'on libsql file .*a row that is revived',
    'src/sql/bulk-sql.ts',
    'excluded.deleted OR stored$.deleted THEN',
    'excluded.deleted THEN',
  ),
  version(
    'a delete before a put of the same change set empties nothing that the app does not know',
    'on libsql file .*a row that is revived',
    'src/sync/push/split-passes.ts',
    'isBehindPatch || isRevival ||',
    'isBehindPatch ||',
  ),
  version(
    'a client that has learnt a column goes on from where it was',
    'on libsql file .*gets the rows again',
    'src/sync/pull/learn.ts',
    'entry.position > 0 && !isCovered(known, entry.known)',
    'entry.position < 0',
  ),
  version(
    'the second page of what is handed out again begins anew',
    'on libsql file .*gets the rows again',
    'src/sync/pull/learn.ts',
    'known) ? entry.learning.position : 0',
    'known) ? 0 : 0',
  ),
  version(
    'a sync counts rows of before as handed out with all columns',
    'on libsql file .*has learnt a column',
    'src/sync/pull/learn.ts',
    'if (!before || !isLearning(before, known))',
    'if (!before || before)',
  ),
  version(
    'a table that is new to a client comes without its rows of defaults',
    'on libsql file .*gets the rows again',
    'src/sql/again-sql.ts',
    "return '1 = 1'",
    "return shown(table).map((column) => isSet(column, dialect)).join(' OR ')",
  ),
  version(
    'a change of what is retired is rejected',
    'on libsql file .*what is gone is dropped',
    'src/model/decode-row.ts',
    'else if (!table.retired.has(name)) return name',
    'else return name',
  ),
  version(
    'a new column is empty in a tombstone, and no older server can revive the row',
    'on libsql file .*an older server revives',
    'src/model/decode-row.ts',
    'since === undefined ? null : (preset ?? null)',
    'since === undefined || since > 0 ? null : (preset ?? null)',
  ),
]
