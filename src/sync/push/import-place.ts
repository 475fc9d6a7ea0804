import type { Change } from '../../model/change.ts'
import type { ImportAnswer } from '../../wire/answer.ts'
import type { Call } from '../call.ts'
import { inTurns } from '../in-turns.ts'
import { type Done, writeTogether } from './attempt.ts'
import type { Decoded } from './decode.ts'
import { findSettled, lookAt } from './import-looks.ts'
import {
  type ImportedBefore,
  type ImportPart,
  importScope,
  joinImported,
  planGroup,
  type ScopeImport,
  splitImport,
  waitingFor,
} from './import-scope.ts'
import { readTally, type Settled, transportInParams } from './plan-bulk.ts'

/**
 * A chunk's changes of scopes that live in one database. What of them goes the same way is written
 * by one batch where the database takes all of it; whatever it does not, each scope by itself, so
 * that what is refused of one harms no other.
 */
export async function importPlace(
  call: Call,
  chunk: ScopeImport,
  scopes: readonly string[],
  { byScope }: Decoded,
): Promise<ImportAnswer> {
  const parts = await inTurns(scopes, (scope) => splitImport(chunk, scope, byScope.get(scope) ?? []))
  // Where scopes are limited, each is looked at before it is written.
  const before = parts.length > 1 && !call.rooms ? await importTogether(call, chunk, parts) : undefined
  const nothing: ImportedBefore = { done: new Map() }
  return joinImported(
    await inTurns(parts, (part) => importScope(call, chunk, part, before?.get(part.scope) ?? nothing)),
  )
}

async function importTogether(
  call: Call,
  chunk: ScopeImport,
  parts: readonly ImportPart[],
): Promise<ReadonlyMap<string, ImportedBefore>> {
  // Rows of many scopes are few of each, for which a COPY would cost more than it saves.
  const waiting: Call = { ...waitingFor(call, chunk), transport: transportInParams }
  const bulk = changesOf(parts, undefined)
  const settled = chunk.looks ? await findSettled(call, chunk, bulk, call.batch) : new Map<string, Settled>()
  const done = new Map(parts.map(({ scope }) => [scope, new Map<string | undefined, Done>()]))
  for (const client of new Set(parts.flatMap(({ groups }) => groups.map((group) => group.client)))) {
    const writes = [...changesOf(parts, client)].flatMap(([scope, changes]) => {
      const left = client === undefined ? (settled.get(scope)?.unsettled ?? changes) : changes
      return left.length > 0 ? [{ write: planGroup(waiting, chunk, scope, client), changes: left }] : []
    })
    const together = writes.length > 1 ? await writeTogether(waiting, writes) : undefined
    for (const [scope, one] of together?.done ?? []) done.get(scope)?.set(client, one)
  }
  const swallowed = await findSwallowed(call, chunk, done)
  return new Map(
    parts.map(({ scope }) => [
      scope,
      { settled: settled.get(scope), done: done.get(scope) ?? new Map(), swallowed: swallowed.get(scope)?.unsettled },
    ]),
  )
}

/** The changes of each scope that go the same way. */
function changesOf(parts: readonly ImportPart[], client: string | undefined): ReadonlyMap<string, readonly Change[]> {
  return new Map(
    parts.flatMap(({ scope, groups }) =>
      groups.filter((group) => group.client === client).map(({ changes }) => [scope, changes] as const),
    ),
  )
}

/**
 * What lost is looked at once more where it was written in bulk: a trigger may have swallowed it.
 */
async function findSwallowed(
  call: Call,
  { client }: ScopeImport,
  done: ReadonlyMap<string, ReadonlyMap<string | undefined, Done>>,
): Promise<ReadonlyMap<string, Settled>> {
  const lost = [...done].flatMap(([scope, byClient]) => {
    const bulk = byClient.get(undefined)
    return bulk && readTally(bulk.plan, bulk.results).stale > 0 ? [[scope, bulk.changes] as const] : []
  })
  return lookAt(call, client, new Map(lost), call.batch)
}
