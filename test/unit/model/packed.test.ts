import { describe, expect, it } from 'vitest'
import { createPacker, createUnpacker } from '../../../src/model/packed.ts'

const uuid = '01935f0c-7a30-7c4e-9d1e-3f2b6a5c8d10'
const uuidBytes = '01935f0c7a307c4e9d1e3f2b6a5c8d10'

/** Each with its bytes, in hexadecimal digits. Clients hold them: they never change. */
const texts: readonly (readonly [text: string | null, packed: string])[] = [
  [null, '00'],
  ['', '02'],
  ['a', '0461'],
  ['ab', '05ab'],
  ['abc', '08616263'],
  ['AB', '064142'],
  ['alice', '0c616c696365'],
  [uuid, `01${uuidBytes}`],
  [uuid.toUpperCase(), `4a${Buffer.from(uuid.toUpperCase()).toString('hex')}`],
  [uuidBytes, `23${uuidBytes}`],
  ['é', '06c3a9'],
  ['\ufeff😀', '10efbbbff09f9880'],
  ['x'.repeat(70), `8e01${'78'.repeat(70)}`],
  ['f0'.repeat(70), `8f01${'f0'.repeat(70)}`],
]
const numbers: readonly (readonly [number: number, packed: string])[] = [
  [0, '00'],
  [127, '7f'],
  [128, '8001'],
  [2 ** 32, '8080808010'],
  [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
]

const unpack = (packed: string) => createUnpacker(Buffer.from(packed, 'hex'))

describe('packing', () => {
  it.each(texts)('writes the text %j as %s, and reads it', (text, packed) => {
    const { text: write, bytes } = createPacker()
    write(text)
    expect(Buffer.from(bytes()).toString('hex')).toBe(packed)
    const from = unpack(packed)
    expect(from.text()).toBe(text)
    expect(from.isAtEnd()).toBe(true)
  })

  it.each(numbers)('writes the number %d as %s, and reads it', (number, packed) => {
    const { number: write, bytes } = createPacker()
    write(number)
    expect(Buffer.from(bytes()).toString('hex')).toBe(packed)
    expect(unpack(packed).number()).toBe(number)
  })

  it.each([
    ['', 'nothing'],
    ['03', 'no digit'],
    ['0a616263', 'half a text'],
    ['0701', 'half of the digits'],
    [`01${uuidBytes.slice(2)}`, 'half a UUID'],
    ['06ffff', 'no UTF-8'],
    ['066162', 'digits as text'],
    [`4a${Buffer.from(uuid).toString('hex')}`, 'a UUID as text'],
    ['840061', 'a length of two bytes that needs one'],
    ['ffffffffffffffff7f', 'a length beyond all bytes'],
  ])('reads no text of %s, which is %s', (packed) => {
    expect(() => unpack(packed).text()).toThrow()
  })

  it.each([
    ['', 'nothing'],
    ['80', 'half a number'],
    ['8000', 'a zero of two bytes'],
    ['ff8000', 'a byte too many'],
    ['8080808080808010', 'beyond the safe integers'],
    ['80'.repeat(50), 'without an end'],
  ])('reads no number of %s, which is %s', (packed) => {
    expect(() => unpack(packed).number()).toThrow()
  })
})
