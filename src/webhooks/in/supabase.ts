import { PayloadFault } from '../../model/payload-fault.ts'
import type { Schema, TableName } from '../../model/table.ts'
import { timestamptzToMicroseconds } from '../../model/timestamptz.ts'
import type { WebhookChange } from './mapping.ts'
import { checkOptions, type ExactRow, type JsonObject, readId, readObject, readText } from './payload.ts'

/**
 * Where the rows of one table of Postgres go. The functions get the record as the webhook has it;
 * annotate the parameter with the type of your table, such as Supabase generates it: a `type`,
 * since an `interface` is no JSON to TypeScript. They are methods, so that it lets you.
 */
export type SupabaseTable<S extends Schema, Given> = {
  readonly [Name in TableName<S>]: {
    readonly table: Name
    /** The scope that a record belongs to. None: it is not synced, or no longer. */
    scope(record: JsonObject): string | null | undefined
    /** The row's id, `record.id` where this is left out. */
    id?(record: JsonObject): string
    row(record: JsonObject): ExactRow<S, Name, Given>
    /**
     * When the record was written, in microseconds since 1970. Without it what arrives last wins.
     * It must rise with each change of the row, which `now()` does not within a transaction: see
     * `driftline_touch` in supabase.sql.
     */
    at?(record: JsonObject): number | null | undefined
  }
}[TableName<S>]

/**
 * The changes of Supabase's database webhooks, and of any trigger that sends their payload: `{
 * type, schema, table, record, old_record }`. Tables are named `schema.table`, or `table` where the
 * schema is `public`; others are ignored. An update that moves a row to another id or scope also
 * deletes it where it was, which needs all columns that `scope` and `id` read in `old_record`.
 *
 * A record tells when it was last written, not when it was deleted, and that very stamp would be a
 * duplicate. So where there is an `at`, a delete has the time `changed_at` of the payload, which
 * the trigger of supabase.sql sends; without it the server stamps the delete, and a row that is
 * inserted again within the moment of its delivery is lost with it.
 */
export function supabaseWebhook<S extends Schema, Rows extends Record<string, object>>(
  schema: S,
  tables: { readonly [Source in keyof Rows]: SupabaseTable<S, Rows[Source]> },
): (payload: unknown) => readonly WebhookChange<S>[] {
  const sources = new Map<string, Source>()
  for (const [name, source] of Object.entries<Source>(tables)) {
    checkOptions(schema, source, ['table', 'scope', 'id', 'row', 'at'], `supabaseWebhook: ${name}`)
    sources.set(name.includes('.') ? name : `public.${name}`, source)
  }
  return (payload) => {
    const event = readObject(payload, 'payload')
    const name = `${readText(event.schema, 'schema')}.${readText(event.table, 'table')}`
    const source = sources.get(name)
    // Typed by the signature above; here a table is one of many.
    return (source ? toChanges(source, event) : []) as unknown as readonly WebhookChange<S>[]
  }
}

/** A `SupabaseTable` without its types. */
interface Source {
  readonly table: string
  scope(record: JsonObject): unknown
  id?(record: JsonObject): unknown
  row(record: JsonObject): unknown
  at?(record: JsonObject): unknown
}

function toChanges(source: Source, event: JsonObject): object[] {
  const type = readText(event.type, 'type')
  if (type !== 'INSERT' && type !== 'UPDATE' && type !== 'DELETE') {
    throw new PayloadFault('type must be INSERT, UPDATE or DELETE.')
  }
  const record = type === 'DELETE' ? undefined : readObject(event.record, 'record')
  const old = type === 'INSERT' ? undefined : readObject(event.old_record, 'old_record', wholeRow)
  const is = record && placeOf(source, record, 'record')
  const was = old && placeOf(source, old, 'old_record')
  const at = record ? stampOf(source, record) : old && deletionOf(source, old, event)
  const changes: object[] = []
  if (was && !(is && is.scope === was.scope && is.id === was.id)) {
    changes.push({ ...was, table: source.table, op: 'delete', ...at })
  }
  if (is && record) changes.push({ ...is, table: source.table, op: 'put', row: source.row(record), ...at })
  return changes
}

// Logical replication leaves out what is not in the replica identity, which is the primary key by
// default.
const wholeRow = ' Send the whole old row: OLD in a trigger, REPLICA IDENTITY FULL in logical replication.'

/** Where a record lives, or nothing where it is not synced. */
function placeOf(source: Source, record: JsonObject, where: string): { scope: string; id: string } | undefined {
  const scope = source.scope(record)
  if (scope === null || scope === undefined) return undefined
  const id = source.id ? source.id(record) : record.id
  return {
    scope: readText(scope, `scope of ${where}`),
    id: readId(id, source.id ? `id of ${where}` : `${where}.id`),
  }
}

function stampOf(source: Source, record: JsonObject): { at?: number } {
  const at = source.at?.(record)
  if (at === null || at === undefined) return {}
  if (!Number.isSafeInteger(at)) throw new PayloadFault('at of record must be an integer of microseconds since 1970.')
  return { at: at as number }
}

/**
 * Later than what was deleted, whatever the clock says, and before what is inserted in its place.
 */
function deletionOf(source: Source, old: JsonObject, event: JsonObject): { at?: number } {
  if (!('changed_at' in event)) return {}
  const { at } = stampOf(source, old)
  if (at === undefined) return {}
  return { at: Math.max(timestamptzToMicroseconds(event.changed_at), at + 1) }
}
