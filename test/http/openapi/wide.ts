import {
  boolean,
  bytes,
  counter,
  decimal,
  integer,
  json,
  real,
  text,
  timestamp,
  uuid,
} from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { byColumn } from '../../../src/model/table.ts'

/** A table with a column of every type, and every way to declare one, and tables with every rule. */
export const wideSchema = defineSchema({
  wide: {
    short: text({ maxLength: 3, nullable: true }),
    choice: text({ oneOf: ['a', 'b'], default: 'a' }),
    maybe: text({ oneOf: ['a', 'b'], nullable: true }),
    integer_: integer({ nullable: true }),
    real_: real({ default: 1.5 }),
    decimal_: decimal({ nullable: true }),
    money_: decimal({ precision: 5, scale: 2, default: '0.00' }),
    boolean_: boolean({ nullable: true }),
    json_: json({ nullable: true }),
    needed_json: json({ default: {} }),
    timestamp_: timestamp({ nullable: true }),
    precise_: timestamp({ digits: 6, nullable: true }),
    uuid_: uuid({ nullable: true }),
    bytes_: bytes({ nullable: true }),
  },
  needed: { title: text() },
  ruled: byColumn({
    title: text(),
    stock: counter(),
    best: integer({ merge: 'max', default: 0 }),
    least: timestamp({ merge: 'min', nullable: true }),
    made_by: text({ merge: 'once', nullable: true }),
    created_at: timestamp({ filled: 'created' }),
    written_at: timestamp({ filled: 'written', digits: 6 }),
    place: integer({ filled: 'created' }),
  }),
  counted: { likes: counter() },
  filled: { at: timestamp({ filled: 'created' }) },
})
