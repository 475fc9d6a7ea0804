import { base64url } from 'jose'
import { describe, expect, it } from 'vitest'
import { checkCursor, formatCursor, parseCursor } from '../../../src/model/cursor.ts'
import type { CursorEntry } from '../../../src/model/cursor-entry.ts'
import { writeFirstForm } from '../../../src/model/cursor-first-form.ts'
import { writeSecondForm } from '../../../src/model/cursor-forms.ts'

const formatFirstForm = (cursor: Parameters<typeof writeFirstForm>[0]) => base64url.encode(writeFirstForm(cursor))

const entry = { incarnation: 'inc1', position: 5, start: 0 }
const head = { incarnation: 'inc1', position: 5, watermark: 0 }

describe('cursor', () => {
  const cursors: Readonly<Record<string, [string, CursorEntry][]>> = {
    none: [],
    'of a name': [['alice', entry]],
    'of names of every kind': [
      ['team:😀', { incarnation: null, position: 0, start: 0 }],
      ['01935f0c-7a30-7c4e-9d1e-3f2b6a5c8d10', { incarnation: '98176938eb824d48', position: 127, start: 128 }],
      ['01935F0C-7A30-7C4E-9D1E-3F2B6A5C8D10', { incarnation: '0', position: 0, start: 0 }],
      ['deadbeef', { incarnation: 'f'.repeat(32), position: 0, start: 2 ** 53 - 1 }],
      ['deadbee', { incarnation: 'z'.repeat(32), position: 2 ** 53 - 1, start: 0 }],
      ['\ufeffé'.repeat(64), { incarnation: 'a1', position: 2 ** 53 - 2, start: 2 ** 53 - 1 }],
    ],
    'of a thousand scopes': Array.from({ length: 1000 }, (_, n) => [`scope ${n}`, { ...entry, position: n }]),
  }
  it.each(Object.entries(cursors))('comes back as it was handed out, %s, and in its first form', (_, entries) => {
    const cursor = new Map(entries)
    expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
    expect([...parseCursor(formatCursor(cursor)).keys()]).toEqual([...cursor.keys()])
    expect(parseCursor(formatFirstForm(cursor))).toEqual(cursor)
    expect(formatCursor(cursor)).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(formatFirstForm(cursor)).not.toBe(formatCursor(cursor))
  })

  it('says of each scope which columns its client has, and which it is learning', () => {
    const [one, other] = [
      [1, 70_000, 2 ** 24 - 1],
      [1, 2],
    ]
    const learning = { known: other, position: 4 }
    for (const entries of [
      [{ ...entry, known: one }],
      [
        { ...entry, known: one },
        { ...entry, known: [...one] },
      ],
      [{ ...entry, known: one, learning }, entry, { ...entry, known: other }, { ...entry, known: one, learning }],
      [
        { ...entry, known: [] },
        { ...entry, known: one, learning: { known: [], position: 0 } },
      ],
    ]) {
      const cursor = new Map(entries.map((one, n) => [`s${n}`, one] as const))
      expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
    }
    const refused = [
      { ...entry, known: one, learning: { known: other, position: 5 } },
      { ...entry, known: [2, 1] },
    ]
    for (const one of refused) expect(() => parseCursor(formatCursor(new Map([['s', one]])))).toThrow(/exactly/)
    expect(parseCursor(base64url.encode(writeSecondForm(new Map([['s', entry]]))))).toEqual(new Map([['s', entry]]))
  })

  it('takes about half of what its first form took', () => {
    const perScope = (write: typeof formatCursor, name: (n: number) => string) => {
      const of = (count: number) =>
        write(
          new Map(
            Array.from({ length: count }, (_, n) => [
              name(n),
              { incarnation: '98176938eb824d48', position: 1000 + n, start: 0, known },
            ]),
          ),
        )
      return (of(100).length - of(0).length) / 100
    }
    const known = [1, 2, 3]
    for (const [name, most] of [
      [(n: number) => `team-${100 + n}`, 30],
      [(n: number) => `01935f0c-7a30-7c4e-9d1e-${String(n).padStart(12, '0')}`, 40],
    ] as const) {
      expect(perScope(formatCursor, name)).toBeLessThan(most)
      expect(perScope(formatFirstForm, name)).toBeGreaterThan(1.8 * perScope(formatCursor, name))
    }
  })

  it('is refused once one character was changed, cut or added', () => {
    for (const good of [formatCursor, formatFirstForm].map((write) => write(new Map([['alice', entry]]))))
      refuseAllBut(good)
  })
  function refuseAllBut(good: string) {
    for (let place = 0; place < good.length; place++) {
      const other = good[place] === 'A' ? 'B' : 'A'
      for (const bad of [
        good.slice(0, place),
        good.slice(0, place) + other + good.slice(place + 1),
        `${good.slice(0, place)}A${good.slice(place)}`,
      ]) {
        expect(() => parseCursor(bad), bad).toThrow(/exactly as it was handed out/)
      }
    }
  }

  it.each(['', 'null', '[]', '{}', 'e30', '%00', 'a'.repeat(10_000), '\ud800', `${formatCursor(new Map())}=`])(
    'refuses %j',
    (bad) => {
      expect(() => parseCursor(bad)).toThrow(/exactly/)
    },
  )

  it('is refused where it names a scope twice, in both of its forms', () => {
    for (const write of [formatCursor, formatFirstForm]) {
      // No map: what a server never holds can only be forged.
      const twice = [
        ['alice', entry],
        ['bob', entry],
        ['alice', entry],
      ] as unknown as Parameters<typeof write>[0]
      expect(() => parseCursor(write(twice)), write.name).toThrow(/exactly/)
    }
  })

  it.each([
    ['fits', entry, head, undefined],
    ['P16 another incarnation', { ...entry, incarnation: 'inc2' }, head, 'restored'],
    ['P16 ahead of its scope', { ...entry, position: 6 }, head, 'restored'],
    ['P16 a bootstrap that began ahead of its scope', { ...entry, start: 6 }, head, 'restored'],
    ['P16 a scope that is gone', entry, undefined, 'restored'],
    [
      'P16 ahead of a scope that was never written',
      { incarnation: null, position: 5, start: 0 },
      undefined,
      'restored',
    ],
    ['a scope that was never written', { incarnation: null, position: 0, start: 0 }, undefined, undefined],
    ['P9 below the watermark', entry, { ...head, position: 9, watermark: 6 }, 'pruned'],
    ['P9 at the watermark', entry, { ...head, position: 9, watermark: 5 }, undefined],
    [
      'a bootstrap that began after what was pruned',
      { ...entry, position: 1, start: 8 },
      { ...head, position: 9, watermark: 8 },
      undefined,
    ],
    [
      'P9 a bootstrap whose tombstones were pruned meanwhile',
      { ...entry, position: 1, start: 8 },
      { ...head, position: 9, watermark: 9 },
      'pruned',
    ],
  ] as const)('%s', (_, cursor, of, reason) => {
    expect(checkCursor(cursor, of)).toBe(reason)
  })
})
