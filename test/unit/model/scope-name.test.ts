import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scopeToName } from '../../../src/model/scope-name.ts'
import { isName } from '../../../src/model/text.ts'
import { readDatabaseUrl } from '../../../src/stores/database-url.ts'
import { checkScopeUrl, scopeFilePattern, scopeUrl } from '../../../src/stores/scope-url.ts'

/**
 * Of every kind that a token may hold, those that mean something in a path or URL more often than
 * not.
 */
const scope = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
    fc
      .array(fc.constantFrom(...'abAB09.-_/\\:@#?%&[] ~'.split(''), '..', 'con', 'é', 'K'), {
        minLength: 1,
        maxLength: 40,
      })
      .map((parts) => parts.join('')),
    fc.stringMatching(/^[a-z0-9]{1,40}$/),
  )
  .filter((text) => isName(text, 128))

describe('the name of a scope', () => {
  // Never to be changed: every database would be lost from view.
  it.each([
    ['alice', 'alice'],
    ['com10', 'com10'],
    ['a'.repeat(24), 'aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['a'.repeat(25), 'aaaaaaaaaaf5jb4kt5bpmbfs6agx2o22ag5o'],
    ['Alice', 'alicehpcrayuxhrcy2wtpfwgwjibder'],
    ['team:9', 'team9petssjxp7dx2w5jft3q5wkpnij'],
    ['x-evil', 'xevilenekr7ns3d47cuctnganaso7xl'],
    ['a/../b', 'absahkrn7a3d7dbbl4do3csjzofd'],
    ['.', 'zw2o4kxknhggvaztdo7jnxbmvk'],
    ['con', 'concfb5uk6fjrevys7ddu4gq6c5hh'],
    ['com1', 'com1sv5etq7iap2qkpsdnqimuebebm'],
    ['0193f0c2-7d3a-7000-8000-000000000001', '0193f0c27dh6t6raasfu3c2k2jyyqya5ykpo'],
    ['é', 'jkmvk7sagpbvhhpc5nsuoiaxzl'],
    ['e\u0301', 'ex4jhm6ypfjllegiaow5oqfu7mv'],
    ['😀', '6bcdunbml32upa5bcg2rxjlmso'],
    ['user@host:1#?', 'userhost1mcs5veh2aeu26dmsv6kptwv5jm'],
  ])('P11 of %j is %s for ever', async (text, name) => {
    expect(await scopeToName(text)).toBe(name)
  })

  it('P11 is never that of another scope, also where upper case means nothing, and holds nothing but letters and digits', async () => {
    await fc.assert(
      fc.asyncProperty(scope, scope, async (one, other) => {
        const names = await Promise.all([one, other].map(scopeToName))
        expect(names[0]).toMatch(/^[a-z0-9]{1,36}$/)
        expect(names[0] === names[1]).toBe(one === other)
      }),
      { numRuns: 2_000 },
    )
  })

  it('P11 as a scope of its own is another scope', async () => {
    await fc.assert(
      fc.asyncProperty(scope, async (text) => {
        const name = await scopeToName(text)
        if (name !== text) expect(await scopeToName(name)).not.toBe(name)
      }),
    )
  })

  it.each(['', 'a\0', '\ud800', 'a'.repeat(129), 'a\n'])('is refused for %j, which is no scope', async (text) => {
    await expect(scopeToName(text)).rejects.toThrow(TypeError)
  })
})

describe('DATABASE_URL with {scope}', () => {
  it('P11 P13 reaches one host, port and path whatever the scope', async () => {
    const template = 'libsql://db-{scope}-acme.example.org:8443'
    await fc.assert(
      fc.asyncProperty(scope, async (text) => {
        const name = await scopeToName(text)
        // As libSQL's client does, which speaks HTTP.
        const url = new URL(scopeUrl(template, name).replace('libsql:', 'http:'))
        expect([url.host, url.pathname, url.username + url.password + url.search + url.hash]).toEqual([
          `db-${name}-acme.example.org:8443`,
          '/',
          '',
        ])
        expect(url.hostname.split('.')[0]!.length).toBeLessThanOrEqual(63)
      }),
    )
  })

  it('P11 reaches one folder whatever the scope, and finds the names again', async () => {
    const template = 'file:data/tenant.{scope}.db'
    await fc.assert(
      fc.asyncProperty(scope, async (text) => {
        const name = await scopeToName(text)
        const path = join(scopeUrl(template, name).slice('file:'.length))
        expect([dirname(path), scopeFilePattern(template).exec(basename(path))?.[1]]).toEqual(['data', name])
      }),
    )
    for (const file of ['tenant.a.db-wal', 'tenantxa.db', 'tenant.a.dbx', 'tenant..db', 'xtenant.a.db', 'tenant.A.db'])
      expect(scopeFilePattern(template).test(file), file).toBe(false)
  })

  const good = [
    'libsql://{scope}-acme.turso.io',
    'libsql://{scope}.db.example:8080',
    'http://{scope}.localhost:8080/',
    `https://${'a'.repeat(26)}-{scope}.x`,
    'file:{scope}.db',
    'file:/var/data/t-{scope}',
    'file:///var/data/{scope}.db',
  ]
  it.each(good)('may be %s', (url) => expect(checkScopeUrl(url)).toBeUndefined())

  it.each([
    'libsql://{scope}',
    'libsql://{scope}/',
    'libsql://{scope}:80',
    'libsql://{scope}.1',
    'libsql://{scope}.0x7f',
    'libsql://acme.{scope}.example',
    'libsql://example.org/{scope}',
    'libsql://example.org?db={scope}',
    'libsql://user:{scope}@example.org',
    'libsql://{scope}@example.org',
    'libsql://{scope}.example.org/path',
    'libsql://{scope}.example.org?authToken=x',
    'libsql://{scope}--acme.example.org',
    'libsql://-{scope}.example.org',
    'libsql://{scope}-.example.org',
    'libsql://{scope}_a.example.org',
    'libsql://{scope}..example.org',
    'libsql://{scope}.exämple.org',
    `libsql://{scope}-${'a'.repeat(27)}.example.org`,
    'libsql://{scope}-{scope}.example.org',
    'file:{scope}/a.db',
    'file:data\\{scope}\\a.db',
    'file:{scope}/{scope}.db',
    'postgres://{scope}.example/db',
  ])('must not be %s', (url) => {
    expect(() => readDatabaseUrl({ DATABASE_URL: url })).toThrow(TypeError)
    expect(() => readDatabaseUrl({ DATABASE_URL: url })).toThrow(/\{scope\}/)
  })
})

describe('DATABASE_URL with spaces', () => {
  it('may name shards, and nothing but Postgres', () => {
    expect(readDatabaseUrl({ DATABASE_URL: ' postgres://a/x  postgresql://b/y\n' })).toBe(
      'postgres://a/x  postgresql://b/y',
    )
    expect(readDatabaseUrl({ DATABASE_URL: 'file:my data/a.db' })).toBe('file:my data/a.db')
    for (const url of ['postgres://a/x file:a.db', 'postgres://a/x, postgres://b/y mysql://c'])
      expect(() => readDatabaseUrl({ DATABASE_URL: url })).toThrow(
        /may name several databases, with spaces between them/,
      )
  })
})
