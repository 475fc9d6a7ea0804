import type { Filled, MergeRule } from '../model/column.ts'
import { limits } from '../model/limits.ts'
import type { Op } from '../model/stamp.ts'
import type { TableColumn } from '../model/table.ts'
import { formatTime, type SecondDigits } from '../model/time.ts'
import type { ColumnType, ValueRules } from '../model/value.ts'
import { closed, type Json } from './schema.ts'

const name = { type: 'string', minLength: 1, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$' }

/** Components of their own: what the members of changes hold. */
export const valueSchemas = {
  id: { ...name, maxLength: limits.idLengthMax, description: 'Text without control characters.' },
  scope: {
    ...name,
    maxLength: limits.scopeLengthMax,
    description: 'The rows that sync together: a user, a team. Text without control characters.',
  },
  client: {
    type: 'string',
    pattern: `^[A-Za-z0-9_-]{1,${limits.clientLengthMax}}$`,
    description: 'Who writes: a device.',
  },
  at: {
    type: 'integer',
    format: 'int64',
    minimum: limits.stampMin,
    maximum: Number.MAX_SAFE_INTEGER,
    description: `When the writer says it happened, in microseconds since 1970. At most ${limits.clockDriftMsMax / 60_000} minutes ahead of the server, unless it is set otherwise. Always later than the client's last one and than every at that it received.`,
  },
  position: {
    type: 'integer',
    format: 'int64',
    minimum: 1,
    description: 'Orders the rows of a scope as they were committed.',
  },
  cursor: { type: 'string', minLength: 1, description: 'Opaque. Send it as it was handed out.' },
  now: { type: 'integer', format: 'int64', description: "The server's time in microseconds since 1970." },
} as const satisfies Json

export const pageRows: Json = {
  type: 'integer',
  minimum: 1,
  maximum: limits.pageRowsMax,
  default: limits.pageRowsDefault,
  description: 'Rows over all scopes and tables.',
}

/** Which way a value goes: from a phone, from another system by webhook, or as it is stored. */
export type Way = 'sent' | 'webhook' | 'stored'

/** What a column holds on the wire, as `valueCheck` in model/value.ts has it. */
export function columnSchema({ type, rules, nullable, default: value, merge, filled }: TableColumn, way: Way): Json {
  const ofType = typeSchema(type, rules, way)
  const told = filled ? filledBy[filled] : merge && mergesBy[merge]
  const schema = {
    ...ofType,
    ...(told && { description: [ofType.description, told].join(' ').trim() }),
    ...(value !== undefined && { default: value }),
  }
  if (!nullable) return schema
  const types = [schema.type].flat()
  return { ...schema, type: [...types, 'null'], ...(schema.enum && { enum: [...schema.enum, null] }) }
}

/**
 * What a put or a patch may bring for a column: of a counter edits too, and a patch nothing else.
 */
export function sentSchema(column: TableColumn, op: Exclude<Op, 'delete'>, way: Way): Json {
  const whole = op === 'put' ? column : { ...column, default: undefined }
  if (column.merge !== 'counter') return columnSchema(whole, way)
  const n = typeSchema('integer', {}, way)
  const add = closed({ add: { ...n, description: 'Counts once, however late and often it is sent.' } })
  const set = closed({ set: { ...n, description: 'Adds that are later stay on top of it.' } })
  if (op === 'patch') return { type: 'object', oneOf: [add, set] }
  const begin = { ...n, description: 'What a new row begins with. Where the row lives it changes nothing.' }
  return { type: ['integer', 'object'], oneOf: [begin, add, set], default: column.default }
}

const filledBy: Readonly<Record<Filled, string>> = {
  created: 'Filled by the server when the row is made. No change may bring it.',
  written: 'Filled by the server when the row is written. No change may bring it.',
}
const mergesBy: Readonly<Record<MergeRule, string>> = {
  max: 'The greatest value stays, whenever it was written.',
  min: 'The least value stays, whenever it was written.',
  once: 'The first value that arrives stays.',
  counter: 'All that was added stays.',
}

/** A value that a column takes, for examples. */
export function exampleOf({ type, rules, default: value }: TableColumn): unknown {
  if (value !== undefined) return value
  if (type === 'text')
    return rules.oneOf?.[0] ?? [...'Buy milk'].slice(0, rules.maxLength ?? limits.idLengthMax).join('')
  if (type === 'decimal') return `1${rules.scale === 0 || rules.precision === 1 ? '' : '.5'}`
  return type === 'timestamp'
    ? formatTime({ ms: Date.UTC(2026, 0, 31, 8, 30), fraction: '' }, rules.digits ?? 3)
    : examples[type]
}

const examples: Readonly<Record<Exclude<ColumnType, 'text' | 'decimal' | 'timestamp'>, unknown>> = {
  integer: 1,
  real: 0.5,
  boolean: true,
  json: { any: ['value'] },
  uuid: '01935f0c-7a30-7c4e-9d1e-3f2b6a5c8d10',
  bytes: 'aGVsbG8',
}

type TypeSchema = Json & { readonly type: string | readonly string[]; readonly enum?: readonly unknown[] }

function typeSchema(type: ColumnType, rules: ValueRules, way: Way): TypeSchema {
  const { maxLength, oneOf } = rules
  switch (type) {
    case 'text':
      if (oneOf) return { type: 'string', enum: oneOf }
      return {
        type: 'string',
        ...(maxLength !== undefined && { maxLength }),
        pattern: '^[^\\u0000]*$',
        description: 'Text without NUL and lone surrogates.',
      }
    case 'integer': {
      const bound = Number.MAX_SAFE_INTEGER
      return { type: 'integer', format: 'int64', minimum: -bound, maximum: bound }
    }
    case 'real':
      return { type: 'number', format: 'double' }
    case 'decimal':
      return decimalSchema(rules, way)
    case 'boolean':
      return { type: 'boolean' }
    case 'json':
      return {
        type: ['object', 'array', 'string', 'number', 'boolean'],
        description: `Any JSON but a bare null, at most ${limits.jsonDepthMax} levels deep, integers below 2^53.`,
      }
    case 'timestamp':
      return timestampSchema(rules.digits ?? 3, way)
    case 'uuid':
      return {
        type: 'string',
        format: 'uuid',
        pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
        description: 'In lower case.',
      }
    case 'bytes':
      return {
        type: 'string',
        contentEncoding: 'base64url',
        pattern: '^([\\w-]{4})*([\\w-][AQgw]|[\\w-]{2}[AEIMQUYcgkosw048])?$',
        description: 'Without padding.',
      }
  }
}

function decimalSchema({ precision, scale }: ValueRules, way: Way): TypeSchema {
  const most = precision === undefined ? '' : scale === undefined ? precision : precision - scale
  const whole = precision === undefined ? '[1-9]\\d*' : most === 0 ? '0' : `[1-9]\\d{0,${Number(most) - 1}}`
  const fraction = scale === 0 ? '' : `(\\.\\d${scale === undefined ? '+' : `{1,${scale}}`})?`
  return {
    // Other systems write a number.
    type: way === 'webhook' ? ['string', 'number'] : 'string',
    maxLength: limits.decimalDigitsMax + 3,
    pattern: `^(?!-0(\\.0*)?$)-?(0|${whole})${fraction}$`,
    description: `A decimal as text: no exponent, no nought before other digits, at most ${precision ?? limits.decimalDigitsMax} digits. Every digit is kept.`,
  }
}

function timestampSchema(digits: SecondDigits, way: Way): TypeSchema {
  const time = '([01]\\d|2[0-3])(:[0-5]\\d){2}'
  const stored = `^(?!0000)\\d{4}-\\d\\d-\\d\\dT${time}\\.\\d{${digits}}Z$`
  const sent = `^(?!0000)\\d{4}-\\d\\d-\\d\\d[Tt ]${time}(\\.\\d{1,${digits}}0*)?([Zz]|[+-]([01]\\d|2[0-3]):[0-5]\\d)$`
  return {
    type: 'string',
    format: 'date-time',
    pattern: way === 'stored' ? stored : sent,
    description:
      way === 'stored'
        ? `UTC with ${digits} digits of a second, always in this form.`
        : `RFC 3339 with its offset, at most ${digits} digits of a second. It is stored and comes back in UTC.`,
  }
}
