import { createHash, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createAuthenticate } from '../../../src/http/auth.ts'

describe('tokens of an issuer with a key set', () => {
  let keys: Server
  let url: string
  let status = 200
  let odd: JsonWebKey[] = []
  const pairs = new Map<string, Awaited<ReturnType<typeof generateKeyPair>>>()
  beforeAll(async () => {
    for (const alg of ['RS256', 'ES256', 'EdDSA']) pairs.set(alg, await generateKeyPair(alg, { extractable: true }))
    const jwks = await Promise.all(
      [...pairs].map(async ([alg, { publicKey }]) => ({ ...(await exportJWK(publicKey)), alg, kid: alg })),
    )
    keys = createServer((_, response) => {
      response
        .writeHead(status, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ keys: [...jwks, ...odd] }))
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => keys.once('listening', resolve))
    url = `http://127.0.0.1:${(keys.address() as AddressInfo).port}/jwks.json`
  })
  afterAll(() => keys.close())

  const exp = Math.floor(Date.now() / 1000) + 60
  const sign = (
    alg: string,
    claims: object = {},
    key = pairs.get(alg)?.privateKey as CryptoKey | Uint8Array,
    kid = alg,
  ) =>
    new SignJWT({ sub: 'alice', exp, iss: 'https://issuer.example', aud: 'driftline', ...claims })
      .setProtectedHeader({ alg, kid })
      .sign(key)

  it('takes the algorithms of public keys, and checks issuer and audience where set', async () => {
    const trust = { jwksUrl: url, issuer: 'https://issuer.example', audience: 'driftline' }
    const authenticate = createAuthenticate({ ...trust, scopesClaim: 'scopes' })
    for (const alg of pairs.keys()) {
      const principal = await authenticate(
        `Bearer ${await sign(alg, { scopes: ['team:9', { id: 'news', access: 'read' }, { id: 'team:9', access: 'read' }] })}`,
      )
      expect([...principal.scopes]).toEqual([
        ['alice', 'write'],
        ['team:9', 'write'],
        ['news', 'read'],
      ])
    }
    for (const claims of [{ iss: 'https://other.example' }, { aud: 'other' }, { iss: undefined }]) {
      await expect(authenticate(`Bearer ${await sign('RS256', claims)}`)).rejects.toMatchObject({
        code: 'unauthorized',
      })
    }
  })

  it('never takes a public key for an HS256 secret, nor a secret for a public key', async () => {
    const authenticate = createAuthenticate({ jwksUrl: url })
    const spki = new TextEncoder().encode(await exportSPKI(pairs.get('RS256')?.publicKey as CryptoKey))
    await expect(authenticate(`Bearer ${await sign('HS256', {}, spki, 'RS256')}`)).rejects.toMatchObject({
      code: 'unauthorized',
    })
    const bySecret = createAuthenticate({ secret: 'x'.repeat(32) })
    await expect(bySecret(`Bearer ${await sign('RS256')}`)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  it('P13 answers with a transient fault where the key set cannot be had, not with 401', async () => {
    status = 500
    const token = `Bearer ${await sign('RS256')}`
    await expect(createAuthenticate({ jwksUrl: url })(token)).rejects.toMatchObject({
      code: 'keys_unavailable',
    })
    await expect(createAuthenticate({ jwksUrl: 'http://127.0.0.1:1/' })(token)).rejects.toMatchObject({
      code: 'keys_unavailable',
    })
    status = 200
    expect((await createAuthenticate({ jwksUrl: url })(token)).subject).toBe('alice')
  })

  it('P13 refuses a token by a key that nobody should use with 401: it would be no other the next time', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const { n } = await exportJWK(pairs.get('RS256')?.publicKey as CryptoKey)
    odd = [
      { ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak', alg: 'RS256' },
      { kty: 'RSA', kid: 'broken', alg: 'RS256', n: 'AA', e: 'AQAB' },
      { kty: 'RSA', kid: 'one', alg: 'RS256', n: n ?? '', e: 'AQ' },
    ]
    const authenticate = createAuthenticate({ jwksUrl: url })
    for (const kid of ['weak', 'broken']) {
      const token = await sign('RS256', {}, undefined, kid)
      await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject({ code: 'unauthorized' })
    }
    // To the power of 1 a signature stays what it is: whoever knows the padding of a hash has
    // signed.
    const input = `${btoa('{"alg":"RS256","kid":"one"}')}.${btoa(JSON.stringify({ sub: 'mallory', exp }))}`.replaceAll(
      '=',
      '',
    )
    const hash = createHash('sha256').update(input).digest('hex')
    const padded = Buffer.from(`0001${'ff'.repeat(202)}003031300d060960864801650304020105000420${hash}`, 'hex')
    const forged = `${input}.${padded.toString('base64url')}`
    await expect(authenticate(`Bearer ${forged}`)).rejects.toMatchObject({ code: 'unauthorized' })
    odd = []
  })

  it('needs exactly one kind of key', () => {
    expect(() => createAuthenticate({})).toThrow(TypeError)
    expect(() => createAuthenticate({ secret: 'x'.repeat(32), jwksUrl: url })).toThrow(TypeError)
  })

  it('takes another rule for the scopes, which may grant none', async () => {
    const authenticate = createAuthenticate({
      jwksUrl: url,
      scopesOf: ({ sub }) => (sub === 'alice' ? [['everyone', 'read']] : []),
    })
    expect([...(await authenticate(`Bearer ${await sign('ES256')}`)).scopes]).toEqual([['everyone', 'read']])
    expect((await authenticate(`Bearer ${await sign('ES256', { sub: 'bob' })}`)).scopes.size).toBe(0)
  })
})

describe('a token that was verified a moment ago', () => {
  const secret = 'a secret of the test, 32 bytes or more'
  const key = new TextEncoder().encode(secret)
  const authenticate = createAuthenticate({ secret })
  afterEach(() => vi.useRealTimers())
  const refused = { code: 'unauthorized' }

  it('is taken again until it expires, and not a second longer', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const began = Math.floor(Date.now() / 1000) * 1000
    vi.setSystemTime(began)
    const token = await new SignJWT({ sub: 'alice', exp: began / 1000 + 5 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(key)
    for (const seconds of [0, 1, 34]) {
      vi.setSystemTime(began + seconds * 1000 + 999)
      expect((await authenticate(`Bearer ${token}`)).subject).toBe('alice')
    }
    vi.setSystemTime(began + 35_000)
    await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject(refused)
  })

  it('does not vouch for another signature, other claims or another server', async () => {
    const token = await new SignJWT({ sub: 'alice', exp: Date.now() / 1000 + 60 })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(key)
    await authenticate(`Bearer ${token}`)
    const [header, claims, signature = ''] = token.split('.')
    const mallory = btoa(JSON.stringify({ sub: 'mallory', exp: Date.now() / 1000 + 60 })).replaceAll('=', '')
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1)
    for (const forged of [
      `${header}.${mallory}.${signature}`,
      `${header}.${claims}.${flipped}`,
      `${header}.${claims}.`,
    ]) {
      await expect(authenticate(`Bearer ${forged}`)).rejects.toMatchObject(refused)
    }
    // The last character of 32 bytes has two bits that stand for nothing.
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const respelled = token.slice(0, -1) + last[last.indexOf(token.slice(-1)) + 1]
    await expect(createAuthenticate({ secret })(`Bearer ${respelled}`)).rejects.toMatchObject(refused)
    const other = createAuthenticate({ secret: 'another secret of the test, 32 bytes or more' })
    await expect(other(`Bearer ${token}`)).rejects.toMatchObject(refused)
  })
})
