import type { Change } from '../../model/change.ts'
import type { Rejection } from '../../model/errors.ts'

/** Why changes are not written, by their index in the request. */
export type Rejections = ReadonlyMap<number, Rejection>

/** Of some changes those that may be written, and why the others may not. */
export interface Admitted {
  readonly changes: readonly Change[]
  readonly rejected: Rejections
}

const none: Rejections = new Map()

export const admitAll = (changes: readonly Change[]): Admitted => ({ changes, rejected: none })

export function admitBut(changes: readonly Change[], rejected: Rejections): Admitted {
  if (rejected.size === 0) return admitAll(changes)
  return { changes: changes.filter(({ index }) => !rejected.has(index)), rejected }
}
