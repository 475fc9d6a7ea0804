import type { Verdict } from '../../../model/verdict.ts'
import { encodeParts } from '../../../sql/parts.ts'
import { forecastFields } from '../../../sql/row-fields.ts'
import type { Sql } from '../../../sql/schema-sql.ts'
import type { Cells } from '../../../sql/statement.ts'
import type { Planned, PushOptions } from '../planned.ts'
import type { RowWrite } from '../row-write.ts'
import type { Verdicts } from '../verdicts.ts'
import { forecast, type InboxDetails, type InboxEntry, letterToOutcome, outcomeToLetter } from './inbox.ts'

/**
 * Takes a webhook's id, or ends the batch where it is taken, and finds the verdicts, before
 * anything is written.
 */
export function planClaim(
  { dialect, paramBytesMax, scope: { repeated }, tables }: Sql,
  scope: string,
  passes: readonly (readonly RowWrite[])[],
  { client, receivedAt }: PushOptions,
  { id, errors }: InboxEntry,
): Planned[] {
  const forecasts = forecast(passes)
  const byTable = tables.flatMap(({ table, claim }) => {
    const list = forecasts.get(table)
    return list ? [{ claim, list }] : []
  })
  const places = byTable.flatMap(({ list }) => list.map(({ index }) => index))
  const isPlain = places.every((index, place) => index === place) && Object.keys(errors).length === 0
  const details = isPlain ? '' : JSON.stringify({ places, errors } satisfies InboxDetails)
  return [
    { sql: repeated, params: [scope, client, id], reads: true, role: { kind: 'guard' } },
    ...byTable.flatMap(({ claim, list }) => {
      const values = list.map((one) => [one.id, one.index, one.at, one.baseAt, one.letters])
      return encodeParts(values, (part) => dialect.encodeRows(forecastFields, part), paramBytesMax).map(
        (part): Planned => ({
          sql: claim,
          params: [scope, client, id, receivedAt, details, ...part],
          role: { kind: 'claim' },
        }),
      )
    }),
  ]
}

/**
 * What the inbox keeps of a webhook: a letter for each change, and which changes they stand for.
 */
export interface Claimed {
  readonly letters: string
  readonly details: string
  readonly verdicts: Verdicts
}

/** The verdicts as they were kept. */
export function readClaim(plan: readonly Planned[], results: readonly (readonly Cells[])[]): Claimed | undefined {
  const last = plan.findLastIndex(({ role }) => role.kind === 'claim')
  const row = results[last]?.[0]
  if (!row) return undefined
  const [letters, details] = [String(row[0]), String(plan[last]?.params[4])]
  return { letters, details, verdicts: readLetters(letters, details) }
}

/**
 * The letters once these changes turned out to be rejected: no error told of it before the commit.
 */
export function rejectLetters({ letters, details }: Claimed, rejected: ReadonlySet<number>): string {
  const { places }: Partial<InboxDetails> = details === '' ? {} : JSON.parse(details)
  return [...letters].map((letter, place) => (rejected.has(places?.[place] ?? place) ? 'x' : letter)).join('')
}

/** The letters of verdicts that are known only now, where they are others. */
export function otherLetters({ letters, details }: Claimed, verdicts: Verdicts): string | undefined {
  const { places }: Partial<InboxDetails> = details === '' ? {} : JSON.parse(details)
  const known = [...letters].map((letter, place) => {
    const verdict = verdicts.get(places?.[place] ?? place)
    return verdict ? outcomeToLetter(verdict) : letter
  })
  return known.join('') === letters ? undefined : known.join('')
}

/** The outcome of a webhook that took effect before. Undefined where it was pruned just now. */
export function readRecalled([row]: readonly Cells[] = []): Verdicts | undefined {
  return row && readLetters(String(row[0]), String(row[1]))
}

function readLetters(letters: string, text: string): Verdicts {
  const details: Partial<InboxDetails> = text === '' ? {} : JSON.parse(text)
  const verdicts = new Map<number, Verdict>()
  for (const [index, error] of Object.entries(details.errors ?? {}))
    verdicts.set(Number(index), { verdict: 'rejected', error })
  for (const [place, letter] of [...letters].entries())
    verdicts.set(details.places?.[place] ?? place, letterToOutcome(letter))
  return verdicts
}
