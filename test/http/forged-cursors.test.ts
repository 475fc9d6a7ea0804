import * as fc from 'fast-check'
import { base64url } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { formatCursor, parseCursor } from '../../src/model/cursor.ts'
import type { CursorEntry } from '../../src/model/cursor-entry.ts'
import { writeFirstForm } from '../../src/model/cursor-first-form.ts'
import { writeSecondForm } from '../../src/model/cursor-forms.ts'
import { checksum } from '../../src/model/packed.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { allStoreNames, dialectStores, isQuick, openTestStore, type TestStore } from '../support/stores.ts'

const formatFirstForm = (cursor: Parameters<typeof writeFirstForm>[0]) => base64url.encode(writeFirstForm(cursor))

const most = Number.MAX_SAFE_INTEGER
const scopes = ['alice', 'team', 'never written', 'other', '\u00001', '\ud800', '', 'x'.repeat(129), '__proto__', "a'b"]
const anyNumber = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 1000, most - 1, most, 2 ** 53, 2 ** 63, -1, 0.5, 2 ** 31, 2 ** 32),
  fc.nat(),
  fc.maxSafeNat(),
)
const sets = [[], [0], [1, 2, 2 ** 24 - 1], [1, 2, 2 ** 24 - 1], [2, 1], [5, 5], [2 ** 24]]
const anyEntry = fc.record<CursorEntry>({
  incarnation: fc.constantFrom(null, 'inc', 'other', '', 'A', "'", 'x'.repeat(33), '\u0000', '98176938eb824d48'),
  position: anyNumber,
  start: anyNumber,
  known: fc.constantFrom(undefined, ...sets),
  learning: fc.option(fc.record({ known: fc.constantFrom(...sets), position: anyNumber }), { nil: undefined }),
})
const anyEntries = fc.array(fc.tuple(fc.constantFrom(...scopes), anyEntry), { maxLength: 6 })
const formatSecondForm = (cursor: Parameters<typeof writeSecondForm>[0]) => base64url.encode(writeSecondForm(cursor))
const forms = [formatCursor, formatSecondForm, formatFirstForm]

/** With a checksum that fits, as only somebody makes it who wants to get through. */
function seal(body: Uint8Array, version = 2): string {
  const bytes = new Uint8Array(5 + body.length)
  bytes[0] = version
  new DataView(bytes.buffer).setUint32(1, checksum(body))
  bytes.set(body, 5)
  return base64url.encode(bytes)
}
const write = (form: (typeof forms)[number], entries: readonly (readonly [string, CursorEntry])[]) => {
  try {
    return form(entries as unknown as ReadonlyMap<string, CursorEntry>)
  } catch {
    return 'none'
  }
}
const forged = fc.oneof(
  fc.tuple(fc.constantFrom(...forms), anyEntries).map(([form, entries]) => write(form, entries)),
  fc.uint8Array({ maxLength: 80 }).map((bytes) => seal(bytes)),
  fc.tuple(fc.uint8Array({ maxLength: 9 }), fc.nat(255)).map(([bytes, version]) => seal(bytes, version)),
  // One byte of a good one changed, cut or doubled.
  fc.tuple(fc.nat(60), fc.nat(255), fc.constantFrom('set', 'cut', 'double')).map(([place, byte, how]) => {
    const good = base64url
      .decode(formatCursor(new Map([['alice', { incarnation: 'inc', position: 2, start: 9 }]])))
      .slice(5)
    const at = place % good.length
    const changed = [...good]
    changed.splice(at, how === 'double' ? 0 : 1, ...(how === 'cut' ? [] : [how === 'set' ? byte : (good[at] ?? 0)]))
    return seal(Uint8Array.from(changed))
  }),
  fc.string({ unit: 'binary', maxLength: 60 }),
)

describe('a forged cursor', () => {
  it('is refused, or is one that this server could have handed out', () => {
    fc.assert(
      fc.property(forged, (text) => {
        let parsed: ReturnType<typeof parseCursor>
        try {
          parsed = parseCursor(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_cursor' })
          return
        }
        expect(forms.map((form) => form(parsed))).toContain(text)
        for (const [scope, { incarnation, position, start, known, learning }] of parsed) {
          for (const marks of [known, learning?.known])
            expect(marks).toEqual(marks && [...new Set(marks)].sort((a, b) => a - b))
          if (learning) expect(learning.position).toBeLessThan(position)
          expect(scope).toMatch(/^[^\u0000-\u001f]{1,128}$/u)
          for (const value of [position, start]) expect(Number.isSafeInteger(value) && value >= 0).toBe(true)
          if (incarnation === null) expect([position, start]).toEqual([0, 0])
          else expect(incarnation).toMatch(/^[a-z0-9]{1,32}$/)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('costs no more than its length, however many scopes it names', () => {
    const entries = Array.from({ length: 30_000 }, (_, n): [string, CursorEntry] => [
      `s${n}`,
      { incarnation: 'inc', position: most, start: 0 },
    ])
    for (const form of forms) {
      expect(parseCursor(form(new Map(entries))).size).toBe(30_000)
      expect(() => parseCursor(write(form, [...entries, ...entries.slice(0, 1)]))).toThrow(/exactly/)
    }
  })
})

describe.each(allStoreNames)('P13 a forged cursor on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())

  it('gets 400, 410 or an answer wherever it is sent, and never a 5xx', async () => {
    const app = createApp({ schema, store: opened.store, auth: { secret: testSecret }, incarnation: () => 'inc' })
    const token = await signToken(testSecret, { sub: 'alice', scopes: ['team', 'never written'] })
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const post = (path: string, body: object, more = {}) =>
      app.request(path, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) })
    const at = Date.now() * 1000
    const change = (id: string, scope: string) => ({ ...put(id, 0, id), at, scope })
    await post('/v1/push', { client: 'a', changes: ['a', 'b', 'c'].map((id) => change(id, 'alice')) })
    await post('/v1/push', { client: 'a', changes: [change('t', 'team')] })
    await opened.store.batch('team', [
      { sql: "UPDATE driftline_scopes SET watermark = 1 WHERE scope = 'team'", params: [] },
    ])
    const sent = new Set<number>()
    const send = async (cursor: string) => {
      const written = { client: 'a', cursor, changes: [change('a', 'alice')] }
      const answers = [
        await post('/v1/pull', { cursor }),
        await post('/v1/pull', { cursor }, { Accept: 'application/x-ndjson' }),
        await post('/v1/push', written),
        await post('/v1/push', { client: 'a', cursor }),
        await post('/v1/sync', { ...written, changes: [change('a', 'alice'), change('t', 'team')] }),
        await app.request(`/v1/pull?cursor=${encodeURIComponent(cursor.replaceAll(/[\ud800-\udfff]/g, ''))}`, {
          headers,
        }),
      ]
      for (const answer of answers) {
        await answer.text()
        sent.add(answer.status)
        expect([200, 400, 410]).toContain(answer.status)
      }
    }
    await fc.assert(fc.asyncProperty(forged, send), { numRuns: name === 'libsql file' && !isQuick ? 60 : 6 })
    // Those that get as far as the database: all of them to one of each dialect.
    const isWhole = dialectStores.includes(name as never) && !isQuick
    const some = isWhole ? forms : [formatCursor]
    for (const scope of isWhole ? ['alice', 'team', 'never written', 'other'] : ['alice', 'never written']) {
      for (const incarnation of isWhole ? ['inc', 'other'] : ['inc']) {
        for (const [position, start] of [
          [0, 0],
          [0, most],
          [most, 0],
          [most - 1, most],
          [1, 0],
          [1, 2],
        ] as const)
          for (const form of some) await send(form(new Map([[scope, { incarnation, position, start }]])))
      }
      for (const form of some) await send(form(new Map([[scope, { incarnation: null, position: 0, start: 0 }]])))
    }
    expect([...sent].toSorted()).toEqual([200, 400, 410])
  })
})
