import { describe, expect, it } from 'vitest'
import { type CursorEntry, checkCursor, formatCursor, parseCursor } from '../src/sync/cursor.ts'

const entry = { incarnation: 'inc1', position: 5, start: 0 }
const head = { incarnation: 'inc1', position: 5, watermark: 0 }

describe('cursor', () => {
  it('comes back as it was handed out', () => {
    const cursor = new Map<string, CursorEntry>([
      ['alice', entry],
      ['team:😀', { incarnation: null, position: 0, start: 9 }],
    ])
    expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
    expect(parseCursor(formatCursor(new Map()))).toEqual(new Map())
    expect(formatCursor(cursor)).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  it('is refused once one character was changed, cut or added', () => {
    const good = formatCursor(new Map([['alice', entry]]))
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
  })

  it.each(['', 'null', '[]', '{}', 'e30', '%00', 'a'.repeat(10_000), '\ud800', `${formatCursor(new Map())}=`])(
    'refuses %j',
    (bad) => {
      expect(() => parseCursor(bad)).toThrow(/exactly/)
    },
  )

  it.each([
    ['fits', entry, head, undefined],
    ['P16 another incarnation', { ...entry, incarnation: 'inc2' }, head, 'restored'],
    ['P16 ahead of its scope', { ...entry, position: 6 }, head, 'restored'],
    ['P16 a bootstrap that began ahead of its scope', { ...entry, start: 6 }, head, 'restored'],
    ['P16 a scope that is gone', entry, undefined, 'restored'],
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
