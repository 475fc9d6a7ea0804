import { PassThrough } from 'node:stream'
import type { Context } from 'hono'
import { expect, it } from 'vitest'
import { createArrive } from '../../../src/http/arrive.ts'
import type { Env } from '../../../src/http/env.ts'
import { Problem } from '../../../src/model/errors.ts'
import { readIncoming } from '../../../src/runtime/node/body.ts'
import { GrowingBytes } from '../../../src/wire/growing-bytes.ts'

type Send = (bytes: string) => void

/** A body in either of the ways that it arrives, what sends to it, and what ends it. */
const ways = {
  "the standard's stream": () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    const body = new ReadableStream<Uint8Array>({
      start(made) {
        controller = made
      },
    })
    const request = new Request('http://x/', { method: 'POST', body, duplex: 'half' } as RequestInit)
    return {
      send: ((bytes) => controller?.enqueue(Buffer.from(bytes))) as Send,
      end: () => controller?.close(),
      cut: () => controller?.error(new Error('reset')),
      context: { req: { raw: request }, env: {} } as Context<Env>,
      options: {},
    }
  },
  "Node's": () => {
    const incoming = new PassThrough()
    return {
      send: ((bytes) => incoming.write(bytes)) as Send,
      end: () => incoming.end(),
      cut: () => incoming.destroy(new Error('reset')),
      context: { req: {}, env: { incoming } } as unknown as Context<Env>,
      options: { readBody: readIncoming },
    }
  },
}

it.each(Object.entries(ways))('%s: a body that moves is never ended, one that stands still is', async (_, open) => {
  const { send, context, options } = open()
  const { bytes } = createArrive({ ...options, bodyIdleMsMax: 400 })(context)
  const began = performance.now()
  // Three times as long as it may stand still.
  for (let n = 0; n < 12; n++) {
    setTimeout(() => send('x'), 100)
    expect((await bytes.next()).value?.length).toBe(1)
  }
  expect(performance.now() - began).toBeGreaterThan(1_000)
  await expect(bytes.next()).rejects.toMatchObject({ code: 'request_timeout', headers: { Connection: 'close' } })
})

it.each(Object.entries(ways))('%s: who reads slowly is not who sends slowly', async (_, open) => {
  const { send, end, context, options } = open()
  const { bytes } = createArrive({ ...options, bodyIdleMsMax: 50 })(context)
  send('x')
  expect((await bytes.next()).done).toBe(false)
  await new Promise((resolve) => setTimeout(resolve, 120))
  send('y')
  end()
  expect((await bytes.next()).value?.length).toBe(1)
  expect((await bytes.next()).done).toBe(true)
})

it.each(Object.entries(ways))('%s: a body that is cut is malformed', async (_, open) => {
  const { send, cut, context, options } = open()
  const { bytes } = createArrive(options)(context)
  send('x')
  await bytes.next()
  cut()
  const fault = await bytes.next().catch((error: unknown) => error)
  expect(fault instanceof Problem && fault.code).toBe('malformed')
})

it('what Node has received since the last read is one chunk, however many were sent', async () => {
  const { send, end, context, options } = ways["Node's"]()
  for (let n = 0; n < 10_000; n++) send('x')
  end()
  const lengths: number[] = []
  for await (const chunk of createArrive(options)(context).bytes) lengths.push(chunk.length)
  expect([lengths.length, lengths.reduce((sum, length) => sum + length, 0)]).toEqual([1, 10_000])
})

it('bytes that grow are copied as often for a million chunks as for a few', () => {
  const bytes = new GrowingBytes()
  let [capacity, grown] = [0, 0]
  for (let n = 0; n < 1_000_000; n++) {
    bytes.add(Uint8Array.of(n & 255))
    const { byteLength } = bytes.view().buffer
    if (byteLength !== capacity) grown++
    capacity = byteLength
  }
  expect(bytes.length).toBe(1_000_000)
  expect([bytes.view()[0], bytes.view()[999_999]]).toEqual([0, 999_999 & 255])
  expect(grown).toBeLessThan(25)
  expect(capacity).toBeLessThan(2_100_000)
  bytes.clear()
  bytes.add(Uint8Array.of(7))
  expect([...bytes.view()]).toEqual([7])
})
