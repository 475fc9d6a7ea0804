import type { IncomingMessage } from 'node:http'
import type { ReadBody } from '../../http/arrive.ts'

/**
 * Bodies of Node's server. Not in flowing mode, as the standard's stream reads them: what came
 * since the last read is one chunk, however many the sender made of it, and a million of one byte
 * each cost little more than one.
 */
export const readIncoming: ReadBody = (_request, env) => {
  const { incoming } = env as { readonly incoming: IncomingMessage }
  // Destroyed it would take the connection with it, and whoever sent too much would get no answer.
  return incoming.iterator({ destroyOnReturn: false })
}
