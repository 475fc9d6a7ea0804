/**
 * What a session must be like so that nobody's `ALTER ROLE`, `ALTER DATABASE` or forgotten `SET`
 * changes what driftline reads and writes: how numbers, times and bytes are printed, how the
 * literals of arrays and of texts are read, and how long a writer of a scope may wait for the one
 * before it.
 *
 * Not `search_path`, which says where an app's tables are, unless the URL says it; not
 * `default_transaction_read_only`, by which an operator keeps a full disk from filling further; not
 * the level of isolation, which a transaction begins with.
 */
const settings: Readonly<Record<string, string>> = {
  extra_float_digits: '1',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  transform_null_equals: 'off',
  row_security: 'on',
  // Names of types are compared with ours.
  quote_all_identifiers: 'off',
  lock_timeout: '0',
}

/**
 * The list of one SELECT that sets them to the end of the transaction. It goes with each batch, in
 * the same flush: a pooler gives every transaction another connection, and what was set on the last
 * one may be anybody's.
 */
export function sessionList(schema?: string): string {
  // `schema` has passed the check of the URL's parameters: there is no quote in it.
  const all = { ...settings, ...(schema !== undefined && { search_path: `"${schema}"` }) }
  return Object.entries(all)
    .map(([name, value]) => `set_config('${name}', '${value}', true)`)
    .join(', ')
}
