import { randomBytes } from 'node:crypto'
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

  it('@libsql/core: reads the same of a URL', () => {
    const theirs = { ...require('@libsql/core/config'), ...require('@libsql/core/uri') }
    const ours = require('../src/edge/libsql-config.cjs')
    const read = ({ expandConfig, encodeBaseUrl }: typeof ours, url: string) => {
      const { scheme, tls, authority, path, authToken, intMode } = expandConfig(
        { url, authToken: 'token', concurrency: Number.MAX_SAFE_INTEGER },
        true,
      )
      return [tls, authToken, intMode, String(encodeBaseUrl(scheme, authority, path))]
    }
    for (const url of [
      'libsql://alice-acme.turso.io',
      'libsql://127.0.0.1:8080?tls=0',
      'https://db.example/path',
      'http://[::1]:8080',
      'libsql://db.example?authToken=other',
    ]) {
      expect(read(ours, url), url).toEqual(read(theirs, url))
    }
    expect(() => ours.expandConfig({ url: 'libsql://db.example?x=1' })).toThrow('has no parameter x')
  })
})
