import { parentPort } from 'node:worker_threads'
import type { Cells, Statement } from '../../sql/statement.ts'
import { sqliteFault } from '../fault.ts'
import { type FaultKind, type Rehearsal, type Rehearsed, StoreFault } from '../store.ts'
import { createFileWriter, type FileWriter } from './writer.ts'

/**
 * The thread that writes to files, started by `libsql-remote.ts`. A statement cannot be divided, a
 * commit waits for the disk and a checkpoint for more of it: whoever only reads does not wait with
 * them. Each writer does one thing at a time.
 */
export type Order = { readonly number: number; readonly writer: number; readonly path: string } & Work

export type Work =
  | { readonly kind: 'batch'; readonly statements: readonly Statement[]; readonly msMax: number }
  | { readonly kind: 'batches'; readonly batches: readonly (readonly Statement[])[]; readonly msMax: number }
  | { readonly kind: 'rehearse'; readonly rehearsal: PackedRehearsal; readonly msMax: number }
  | { readonly kind: 'close' }

/** A rehearsal whose groups name their statements by their place among the texts. */
export interface PackedRehearsal extends Pick<Rehearsal, 'opening' | 'closing'> {
  readonly packed: readonly (readonly { readonly place: number; readonly params: Statement['params'] }[])[]
  readonly texts: readonly string[]
}

/** What came of an order. An error would lose its class on the way, so a fault is data. */
export interface Report {
  readonly number: number
  readonly result?: Result
  readonly fault?: FaultData
}

export type Result = Cells[][] | readonly OutcomeData[] | RehearsedData | undefined

export type OutcomeData = { readonly rows: readonly Cells[][] } | { readonly fault: FaultData }

export interface FaultData {
  readonly kind: FaultKind
  readonly message: string
  readonly code: string | undefined
  readonly constraint: string | undefined
}

export interface RehearsedData {
  readonly faults: readonly (FaultData | undefined)[]
  readonly closing: Rehearsed['closing']
}

const writers = new Map<number, FileWriter>()

async function carryOut(order: Order): Promise<Result> {
  const writer = writers.get(order.writer) ?? createFileWriter(order.path)
  writers.set(order.writer, writer)
  if (order.kind === 'close') {
    writers.delete(order.writer)
    await writer.close()
    return undefined
  }
  const until = performance.now() + order.msMax
  if (order.kind === 'batch') return writer.batch(order.statements, until)
  if (order.kind === 'batches') {
    const outcomes = await writer.batches(order.batches, until)
    return outcomes.map((one) => (one instanceof StoreFault ? { fault: faultData(one) } : { rows: one }))
  }
  const { packed, texts, opening, closing: last } = order.rehearsal
  const groups = packed.map((group) => group.map(({ place, params }) => ({ sql: texts[place] ?? '', params })))
  const { faults, closing } = await writer.rehearse({ opening, groups, closing: last }, until)
  return { faults: faults.map((fault) => fault && faultData(fault)), closing }
}

function faultData(error: unknown): FaultData {
  const { kind, message, code, constraint } = sqliteFault(error)
  return { kind, message, code, constraint }
}

parentPort?.on('message', async (order: Order) => {
  const { number } = order
  const report = await carryOut(order).then(
    (result): Report => ({ number, result }),
    (error: unknown): Report => ({ number, fault: faultData(error) }),
  )
  parentPort?.postMessage(report)
})
