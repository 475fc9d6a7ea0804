import type { Rejection, RejectionCode } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { ImportedChunk } from './import.ts'

/** What an import came to so far. */
export interface ImportOutcome {
  /** Lines of the body, empty ones too. */
  lines: number
  applied: number
  duplicate: number
  stale: number
  rejected: number
  /** Lines that the mapping of a source passed over, in an import by one. */
  passed?: number
  /**
   * Of those rejected the ones that no line of the answer names, by their code: they came after so
   * many others.
   */
  unlisted?: Partial<Record<RejectionCode, number>>
}

export const noOutcome = (): ImportOutcome => ({ lines: 0, applied: 0, duplicate: 0, stale: 0, rejected: 0 })

/**
 * Adds a chunk, and gives those of its rejections that the answer still names: an answer must not
 * outgrow its question.
 */
export function addChunk(
  outcome: ImportOutcome,
  { rejections, last, passed, ...tally }: ImportedChunk,
): readonly { readonly line: number; readonly error: Rejection }[] {
  const room = Math.max(limits.importRejectedMax - outcome.rejected, 0)
  outcome.lines = last
  for (const verdict of ['applied', 'duplicate', 'stale'] as const) outcome[verdict] += tally[verdict]
  outcome.rejected += rejections.length
  if (passed !== undefined) outcome.passed = (outcome.passed ?? 0) + passed
  for (const { error } of rejections.slice(room)) {
    outcome.unlisted ??= {}
    outcome.unlisted[error.code] = (outcome.unlisted[error.code] ?? 0) + 1
  }
  return rejections.slice(0, room)
}
