import { sqlEngineOf } from '../adopted/engine.ts'
import type { Dialect } from '../dialect.ts'
import { raiseWith } from '../markers.ts'
import {
  isCheck,
  type RehearseBatch,
  type Trial,
  type TrialFailure,
  type TrialKind,
  type TrialPlan,
} from '../rehearse-sql.ts'
import { lockSql } from '../scope-sql.ts'
import type { Statement } from '../statement.ts'
import { tableSql } from '../table-sql.ts'
import { kindOfState } from './state-kind.ts'

/**
 * A rehearsal as one DO block, which every Postgres takes, over TCP and over HTTP, in the one
 * transaction of a batch. Each group has an exception block, which is a savepoint; the outermost
 * undoes all. The statements are static, so that their plans are kept while the block runs: a group
 * of one change costs a tenth of a millisecond. A block takes no parameters and gives no rows, so
 * both go through settings of the transaction. What a commit would check is checked at the end of a
 * group, and deferred again, since the next may need several statements for what it satisfies.
 */
export const rehearseByBlock = (inBlock: Dialect): RehearseBatch => ({
  compile(plan) {
    const texts = [...new Set(plan.groups.flat().map(nameOf))]
    const groups = plan.groups.map((group) =>
      group.map((trial) => [texts.indexOf(nameOf(trial)), trial.params.map(toText)]),
    )
    return [
      {
        sql: "SELECT set_config('driftline.groups', $1, true)",
        params: [JSON.stringify({ lock: plan.lock.map(toText), groups })],
      },
      { sql: blockSql(inBlock, plan, texts), params: [] },
      { sql: "SELECT current_setting('driftline.failures')", params: [] },
    ]
  },
  read(row) {
    const failures = JSON.parse(String(row?.[0])) as [
      place: number,
      code: string,
      message: string,
      constraint: string,
    ][]
    const groups = new Map<number, TrialFailure>()
    for (const [place, code, message, constraint] of failures) {
      groups.set(place, { kind: kindOfState(code), code, message, constraint: constraint || undefined })
    }
    const commit = groups.get(commitPlace)
    groups.delete(commitPlace)
    return { groups, commit }
  },
})

/**
 * How a parameter is spelled in the block: they stand in an array of texts. No name of a user's
 * holds a $.
 */
export const blockParam = (place: number): string => `try_args$[${place}]`

/** The same statement, whatever its parameters. */
const nameOf = ({ table, kind }: Trial) => `${table} ${kind}`

const commitPlace = -1

function toText(value: Statement['params'][number]): string | null {
  return value === null ? null : String(value)
}

function blockSql(inBlock: Dialect, { tables, immediate, nonce }: TrialPlan, texts: readonly string[]): string {
  const raise = raiseWith(inBlock, nonce)
  const begin = tables.flatMap((table) => sqlEngineOf(table)?.postgres.beginPush ?? [])[0]
  const compiled = tables.map((table) => tableSql(inBlock, table, raise))
  const arms = texts.map((name, place) => {
    const [table, kind] = name.split(' ') as [string, TrialKind]
    const text = String(compiled[Number(table)]?.trial(kind))
    // What a query gives must go somewhere, or be told to go nowhere.
    return `WHEN ${place} THEN ${isCheck(kind) ? `PERFORM check$.* FROM (${text}) AS check$` : text};`
  })
  return `DO $driftline$
DECLARE
  try_input$ jsonb := current_setting('driftline.groups')::jsonb;
  try_args$ text[];
  try_group$ jsonb;
  try_one$ jsonb;
  try_place$ integer := 0;
  try_done$ boolean := false;
  try_failed$ jsonb[] := '{}';
  try_state$ text;
  try_message$ text;
  try_constraint$ text;
BEGIN
  BEGIN
    try_args$ := ARRAY(SELECT jsonb_array_elements_text(try_input$ -> 'lock'));
    ${lockSql(inBlock)};
    ${begin ? `PERFORM ${begin('try_args$[1]', 'try_args$[3]', "''")};` : ''}
    FOR try_group$ IN SELECT value FROM jsonb_array_elements(try_input$ -> 'groups') LOOP
      BEGIN
        ${immediate ? 'SET CONSTRAINTS ALL DEFERRED;' : ''}
        FOR try_one$ IN SELECT value FROM jsonb_array_elements(try_group$) LOOP
          try_args$ := ARRAY(SELECT jsonb_array_elements_text(try_one$ -> 1));
          CASE (try_one$ ->> 0)::integer
          ${arms.join('\n          ')}
          END CASE;
        END LOOP;
        ${immediate ? 'SET CONSTRAINTS ALL IMMEDIATE;' : ''}
      EXCEPTION WHEN lock_not_available OR deadlock_detected THEN RAISE;
      WHEN OTHERS OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS try_state$ = RETURNED_SQLSTATE, try_message$ = MESSAGE_TEXT, try_constraint$ = CONSTRAINT_NAME;
        try_failed$ := array_append(try_failed$, jsonb_build_array(try_place$, try_state$, left(try_message$, 500), try_constraint$));
      END;
      try_place$ := try_place$ + 1;
    END LOOP;
    BEGIN
      SET CONSTRAINTS ALL IMMEDIATE;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN RAISE;
      WHEN OTHERS OR ASSERT_FAILURE THEN
      GET STACKED DIAGNOSTICS try_state$ = RETURNED_SQLSTATE, try_message$ = MESSAGE_TEXT, try_constraint$ = CONSTRAINT_NAME;
      try_failed$ := array_append(try_failed$, jsonb_build_array(${commitPlace}, try_state$, left(try_message$, 500), try_constraint$));
    END;
    try_done$ := true;
    RAISE EXCEPTION 'driftline undoes what it tried';
  EXCEPTION WHEN OTHERS THEN
    IF NOT try_done$ THEN RAISE; END IF;
  END;
  PERFORM set_config('driftline.failures', to_jsonb(try_failed$)::text, true);
END $driftline$`
}
