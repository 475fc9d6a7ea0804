import { type Rejection, rejection } from './errors.ts'
import { isInexact } from './exact.ts'

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isInexact(value)
}

/** Names an unknown member: as JSON and cut, since it is the caller's text. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name)
}

export function reject(...fault: Parameters<typeof rejection>): { error: Rejection } {
  return { error: rejection(...fault) }
}
