import { createHmac, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'

const require = createRequire(import.meta.url)
const lengths = [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 1000, 100_000]

describe('what a worker has instead of parts of its libraries', () => {
  it('js-base64: gives and reads the same', () => {
    const { Base64: theirs } = require('js-base64')
    const { Base64: ours } = require('../src/edge/js-base64.cjs')
    for (const length of lengths) {
      const bytes = new Uint8Array(randomBytes(length + 8)).subarray(3, 3 + length)
      const text = theirs.fromUint8Array(bytes)
      expect(ours.fromUint8Array(bytes)).toBe(text)
      for (const form of [text, text.replaceAll('=', ''), text.replaceAll('+', '-').replaceAll('/', '_')]) {
        expect(ours.toUint8Array(form)).toEqual(bytes)
        expect(ours.toUint8Array(form)).toEqual(new Uint8Array(theirs.toUint8Array(form)))
      }
    }
  })

  it('fast-sha256: gives the same HMAC for keys and data of every length', () => {
    const theirs = require('fast-sha256')
    const ours = require('../src/edge/fast-sha256.cjs')
    for (const length of lengths) {
      const [key, data] = [new Uint8Array(randomBytes(length)), new Uint8Array(randomBytes(1000 - (length % 1000)))]
      expect(ours.hmac(key, data)).toEqual(theirs.hmac(key, data))
      expect(ours.hmac(key, data)).toEqual(new Uint8Array(createHmac('sha256', key).update(data).digest()))
    }
  })
})
