import { SignJWT } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type AuthOptions, createAuthenticate } from '../../../src/http/auth.ts'
import { isPermission } from '../../../src/http/permissions.ts'
import { readSettings } from '../../../src/runtime/settings.ts'
import { testSecret } from '../../support/server.ts'

const tokenOf = (claims: object) =>
  new SignJWT({ sub: 'ana', exp: Math.floor(Date.now() / 1000) + 60, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(testSecret))

/** The scopes that a server with these settings takes from a token with these claims. */
async function scopesOf(settings: Omit<AuthOptions, 'secret'>, claims: object): Promise<unknown[]> {
  const authenticate = createAuthenticate({ secret: testSecret, ...settings })
  return [...(await authenticate(`Bearer ${await tokenOf(claims)}`)).scopes]
}
const granted = (scopesClaim: string, claims: object) =>
  scopesOf({ scopesClaim }, claims).then(([own, ...others]) => {
    expect(own).toEqual(['ana', 'write'])
    return others
  })
const refuses = async (settings: Omit<AuthOptions, 'secret'>, claims: object, detail: RegExp | string) =>
  expect(scopesOf(settings, claims)).rejects.toMatchObject({
    code: 'unauthorized',
    message: typeof detail === 'string' ? expect.stringContaining(detail) : expect.stringMatching(detail),
    headers: { 'WWW-Authenticate': expect.stringMatching(/invalid_token/) },
  })

afterEach(() => vi.restoreAllMocks())

describe('a sub that cannot be a scope', () => {
  const odd = ['x'.repeat(129), '😀'.repeat(129), 'a\0b', 'a\u001f', '\u007f', 'a\u0085', 'a\nb', 'a\ud800', '\udc00']

  it.each(odd)('P11 is 401 that names the claim and the bound, and no other scope: %j', async (sub) => {
    for (const claims of [{}, { scopes: ['team'] }, { scopes: [{ id: 'team', access: 'write' }] }]) {
      await refuses({}, { sub, ...claims }, /claim sub .*1 to 128 characters/)
      await refuses({ subClaim: 'who', scopesClaim: 'scopes' }, { who: sub, ...claims }, /claim who .*1 to 128/)
    }
  })

  it.each(['', undefined, null, 42, true, ['a'], { id: 'a' }])('%j is 401 too', async (sub) => {
    await refuses({}, { sub, scopes: ['team'] }, /needs the claim sub, text.*AUTH_SUB_CLAIM/)
  })

  it('takes each that can be one, as it is', async () => {
    for (const sub of ['x'.repeat(128), '😀'.repeat(128), ' ', '*', 'read-orders', 'CN=Ana,DC=example', 'auth0|5f'])
      expect(await scopesOf({}, { sub })).toEqual([[sub, 'write']])
  })

  it('is of no matter where scopesOf reads the scopes, whose names are held to the same rule', async () => {
    const sub = 'x'.repeat(255)
    expect(await scopesOf({ scopesOf: () => [['mine', 'write']] }, { sub })).toEqual([['mine', 'write']])
    for (const name of [...odd, ''])
      await refuses({ scopesOf: () => [['team', 'write'] as const, [name, 'read'] as const] }, {}, /scopesOf/)
  })
})

describe('AUTH_SUB_CLAIM', () => {
  it.each([
    ['user_id', { sub: 'other', user_id: 'ana-7' }, 'ana-7'],
    ['user_id', { sub: undefined, user_id: 42 }, '42'],
    ['user.id', { user: { id: 'ana-7' } }, 'ana-7'],
    ['[https://example.com/user].id', { 'https://example.com/user': { id: 'ana-7' } }, 'ana-7'],
    ['cognito:username', { 'cognito:username': 'ana' }, 'ana'],
  ])('%s says who it is', async (subClaim, claims, scope) => {
    expect((await scopesOf({ subClaim }, claims))[0]).toEqual([scope, 'write'])
  })

  it.each([undefined, null, '', 1.5, true, {}, ['a'], 2 ** 60])('%j is nobody, and sub is not read instead', (who) =>
    refuses({ subClaim: 'who' }, { sub: 'ana', who, scopes: ['team'] }, /needs the claim who, text\.$/),
  )

  it('reads own members only', () => refuses({ subClaim: 'o.constructor.name' }, { o: {} }, /needs the claim/))
})

describe('AUTH_SCOPES_CLAIM', () => {
  it.each<[string, object, unknown[]]>([
    ['scopes', { scopes: ['*', 'read-orders', 'team'] }, ['*', 'read-orders', 'team'].map((id) => [id, 'write'])],
    ['o.id', { o: { id: 'org_1', rol: 'admin' } }, [['org_1', 'write']]],
    ['o', { o: { id: 'org_1', rol: 'admin' } }, [['org_1', 'write']]],
    ['org:{o.id}', { o: { id: 'org_1' } }, [['org:org_1', 'write']]],
    ['orgs.*.id', { orgs: [{ id: 'a' }, { id: 'b' }, {}] }, ['a', 'b'].map((id) => [id, 'write'])],
    ['orgs.*.id', { orgs: { x: { id: 'a' }, y: { id: 7 } } }, ['a', '7'].map((id) => [id, 'write'])],
    [
      'orgs.*',
      { orgs: [{ id: 'a', access: 'read' }, 'b'] },
      [
        ['a', 'read'],
        ['b', 'write'],
      ],
    ],
    [
      'org:{orgs.*.id},team:{teams}',
      { orgs: [{ id: 'a' }], teams: ['a'] },
      [
        ['org:a', 'write'],
        ['team:a', 'write'],
      ],
    ],
    ['teams', { teams: 'a' }, [['a', 'write']]],
    [
      'teams',
      { teams: [{ id: 'a', access: 'read' }, 'b', 3] },
      [
        ['a', 'read'],
        ['b', 'write'],
        ['3', 'write'],
      ],
    ],
    [
      'teams',
      { teams: { a: true, b: 'read', c: 'write', d: false, e: null, f: { access: 'read' } } },
      [
        ['a', 'write'],
        ['b', 'read'],
        ['c', 'write'],
        ['f', 'read'],
      ],
    ],
    [
      'teams.keys()',
      { teams: { a: 'admin', b: 'read', c: 0, d: false, e: {} } },
      [
        ['a', 'write'],
        ['b', 'read'],
        ['c', 'write'],
        ['e', 'write'],
      ],
    ],
    ['team:{app.teams.keys()}', { app: { teams: { a: 'owner' } } }, [['team:a', 'write']]],
    ['[https://example.com/teams]', { 'https://example.com/teams': ['a'] }, [['a', 'write']]],
    ["['https://example.com/teams'].*.id", { 'https://example.com/teams': [{ id: 'a' }] }, [['a', 'write']]],
    [
      't:{["https://example.com/a,b"][c.d].e}',
      { 'https://example.com/a,b': { 'c.d': { e: 'a' } } },
      [['t:a', 'write']],
    ],
    ['urn:zitadel:iam:org:id', { 'urn:zitadel:iam:org:id': 'a' }, [['a', 'write']]],
    [
      'a, b ,,c',
      { a: 'x', c: 'y' },
      [
        ['x', 'write'],
        ['y', 'write'],
      ],
    ],
    ['a,b', { a: { id: 'x', access: 'read' }, b: 'x' }, [['x', 'write']]],
    ['a,b', { a: 'x', b: { id: 'x', access: 'read' } }, [['x', 'write']]],
    ['a', { a: 'ana' }, []],
  ])('%s of %j', async (path, claims, scopes) => {
    expect(await granted(path, claims)).toEqual(scopes)
  })

  it('grants nothing by what is not there, and reads no other claim', async () => {
    for (const claims of [{}, { o: null }, { o: {} }, { o: { id: null } }, { scopes: ['team'], scope: 'openid' }])
      expect(await granted('o.id', claims)).toEqual([])
    for (const teams of [[], {}, null, [null]]) expect(await granted('teams', { teams })).toEqual([])
    expect(await granted('constructor.name,__proto__,toString', {})).toEqual([])
  })

  it.each<[string, unknown]>([
    ['teams', true],
    ['teams', 1.5],
    ['teams', ''],
    ['teams', ['']],
    ['teams', ['a', '']],
    ['teams', ['a', 'b\0']],
    ['teams', ['a', '\ud800']],
    ['teams', ['x'.repeat(129)]],
    ['teams', [['a']]],
    ['teams', [{}]],
    ['teams', [{ id: 'a', access: 'admin' }]],
    ['teams', { id: 'a', access: 'admin' }],
    ['teams', { '': true }],
    ['teams', { 'a\n': true }],
    ['teams', { name: 'Acme', slug: 'acme' }],
    ['teams', { a: 'admin' }],
    ['teams', { a: {} }],
    ['teams', { a: ['x'] }],
    ['teams.*', { a: true }],
    ['teams.*', 'a'],
    ['teams.id', [{ id: 'a' }]],
    ['teams.id', 'a'],
    ['teams.*.id', ['a']],
    ['teams.keys()', ['a']],
    ['teams.keys()', 'a'],
    ['org:{teams}', ''],
    ['org:{teams}', { '': true }],
    ['org:{teams}', 'x'.repeat(125)],
  ])('%s: what cannot be scopes is 401 that names the claim: %j', async (path, teams) => {
    await refuses({ scopesClaim: path }, { teams }, `The claim ${path} of the token`)
  })

  it('says how to spell an object that is not surely a list', () =>
    refuses({ scopesClaim: 'org:{a.b}' }, { a: { b: { c: 'x' } } }, /org:\{a\.b\.keys\(\)\} or org:\{a\.b\.\*\.id\}/))

  it.each([
    ...[
      ' ',
      ',',
      '.',
      'a.',
      '.a',
      'a..b',
      '*',
      'keys()',
      '*.id',
      'a.keys().b',
      'a*',
      'a.b*',
      'a[',
      'a]',
      '[]',
      'a[b',
      '{a',
      'a}',
    ],
    ...['{}', 'x{}', 'x{a}y', 'x{a}{b}', 'a.length()', '"a"', "a.'b'"],
  ])('is refused at start where it is no path: %j', (AUTH_SCOPES_CLAIM) => {
    expect(() => readSettings({ AUTH_SECRET: testSecret, AUTH_SCOPES_CLAIM })).toThrow(
      /^AUTH_SCOPES_CLAIM must be names of claims/,
    )
  })

  it.each([
    ['https://example.com/teams', /stands in brackets: \[https:\/\/example\.com\/teams\]/],
    ['org:{https://example.com/teams.id}', /stands in brackets/],
    ['scope', /shared by strangers/],
    ['o.id,scp', /shared by strangers/],
    ['p:{permissions}', /shared by strangers/],
    ['user_metadata.teams', /users write themselves/],
    ['unsafe_metadata.teams', /users write themselves/],
    ['o.id,org:{userMetadata.org}', /users write themselves/],
  ])('is refused at start where it would be dangerous: %s', (AUTH_SCOPES_CLAIM, message) => {
    expect(() => readSettings({ AUTH_SECRET: testSecret, AUTH_SCOPES_CLAIM })).toThrow(message)
  })

  it('AUTH_SUB_CLAIM is one path to one value', () => {
    for (const AUTH_SUB_CLAIM of ['a,b', 'a.*', 'a.keys()', 'x{a}', 'a.', 'user_metadata.id', 'https://a.example/id'])
      expect(() => readSettings({ AUTH_SECRET: testSecret, AUTH_SUB_CLAIM }), AUTH_SUB_CLAIM).toThrow(/^AUTH_SUB_CLAIM/)
  })
})

describe('tokens as issuers make them', () => {
  const clerk = {
    ...{ azp: 'https://app.example', fva: [0, -1], iss: 'https://clean-mayfly-62.clerk.accounts.dev', jti: '1', v: 2 },
    ...{ sid: 'sess_2x', sts: 'active', sub: 'user_2x', fea: 'o:sync', pla: 'o:pro' },
  }
  const auth0 = {
    ...{ iss: 'https://acme.eu.auth0.com/', sub: 'auth0|5f7c', azp: 'x', scope: 'openid profile email read:orders' },
    ...{ aud: ['https://sync.example.com', 'https://acme.eu.auth0.com/userinfo'], permissions: ['read:orders'] },
  }
  const supabase = {
    ...{ iss: 'https://abc.supabase.co/auth/v1', sub: '6b1f', aud: 'authenticated', role: 'authenticated' },
    ...{ email: 'ana@example.com', phone: '', aal: 'aal1', amr: [{ method: 'password', timestamp: 1 }] },
    ...{ session_id: '7c2e', is_anonymous: false, user_metadata: { teams: ['t_stolen'] } },
  }
  const firebase = {
    ...{ iss: 'https://securetoken.google.com/acme', aud: 'acme', auth_time: 1, user_id: 'fb7', sub: 'fb7' },
    ...{ email: 'ana@example.com', email_verified: true },
    firebase: { identities: { email: ['ana@example.com'] }, sign_in_provider: 'password', tenant: 'acme-x1' },
  }
  const cognito = {
    ...{ iss: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x', sub: '6b1f', token_use: 'id', aud: 'x' },
    ...{
      'cognito:username': 'ana',
      'cognito:groups': ['team-7', 'team-9'],
      'cognito:roles': ['arn:aws:iam::1:role/x'],
    },
  }
  it.each<[string, string, object, string, ...[string, string][]]>([
    [
      'Clerk',
      'o.id',
      { ...clerk, o: { id: 'org_2x', rol: 'admin', slg: 'acme', per: 'read' } },
      'user_2x',
      ['org_2x', 'write'],
    ],
    ['Clerk without an organisation', 'o.id', clerk, 'user_2x'],
    [
      'Clerk of 2024',
      'o.id,org_id',
      { ...clerk, org_id: 'org_2x', org_role: 'org:admin' },
      'user_2x',
      ['org_2x', 'write'],
    ],
    ['Auth0', 'org_id', { ...auth0, org_id: 'org_5f' }, 'auth0|5f7c', ['org_5f', 'write']],
    ['Auth0 without an organisation', 'org_id', auth0, 'auth0|5f7c'],
    [
      'Auth0 with a claim of an action',
      '[https://example.com/teams]',
      { ...auth0, 'https://example.com/teams': ['t1'] },
      'auth0|5f7c',
      ['t1', 'write'],
    ],
    [
      'Supabase',
      'app_metadata.teams',
      { ...supabase, app_metadata: { provider: 'email', providers: ['email'], teams: ['t1'] } },
      '6b1f',
      ['t1', 'write'],
    ],
    [
      'Firebase, an object',
      'team:{teams}',
      { ...firebase, teams: { t1: true, t2: 'read' } },
      'fb7',
      ['team:t1', 'write'],
      ['team:t2', 'read'],
    ],
    ['Firebase, roles', 'teams.keys()', { ...firebase, teams: { t1: 'owner' } }, 'fb7', ['t1', 'write']],
    ['Firebase, a tenant', 'firebase.tenant', firebase, 'fb7', ['acme-x1', 'write']],
    ['Cognito', 'cognito:groups', cognito, '6b1f', ['team-7', 'write'], ['team-9', 'write']],
  ])('%s: AUTH_SCOPES_CLAIM=%s', async (_, scopesClaim, claims, sub, ...scopes) => {
    expect(await scopesOf({ scopesClaim }, claims)).toEqual([[sub, 'write'], ...scopes])
  })
})

describe('the claim scopes without a setting', () => {
  const permissions = [
    ...['*', 'orders:*', 'openid', 'profile', 'email', 'offline_access', 'api', 'admin', 'read', 'write', 'Read'],
    ...['read-orders', 'orders:read', 'orders.write', 'write:orders', 'read:user2', 'User.Read', 'User.Read.All'],
    ...[
      'Mail.ReadWrite',
      'orders:read:status',
      'place-orders',
      'check-status',
      'users:list',
      'list:users',
      'readOrders',
    ],
    ...['create_orders', 'delete/orders', 'https://www.googleapis.com/auth/drive', 'urn:example:orders', '.default'],
    ...['aws.cognito.signin.user.admin', 'user_impersonation', 'manage-account', 'view-profiles', 'update-orders'],
  ]
  const scopes = [
    ...[
      'team',
      'team:9',
      'u-3f2a1b9c-12d',
      'news',
      'org_2abc',
      'list:9',
      'order:7',
      'shopping-list',
      'place-berlin',
      'home',
    ],
    ...['read me 7', 'team-a', 'acme', '0193b7a4-7b1e-7c3a-9a51-0d6f4e2b8c11', 'everyone', 'Ana und Ben', 'list-home'],
  ].filter((name) => name !== 'read me 7')

  it.each(permissions)('%s is a permission of OAuth', (name) => expect(isPermission(name)).toBe(true))
  it.each(scopes)('%s may be a scope of rows', (name) => expect(isPermission(name)).toBe(false))

  it('P11 takes no permission of OAuth for a scope, nor what stands beside one without a digit, and says so once', async () => {
    const warned = vi.spyOn(console, 'warn').mockReturnValue()
    for (const name of permissions) {
      expect(await scopesOf({}, { scopes: [name] })).toEqual([['ana', 'write']])
      expect(await scopesOf({}, { scopes: ['orders', name, 'team:9', 'news'] })).toEqual([
        ['ana', 'write'],
        ['team:9', 'write'],
      ])
    }
    expect(await scopesOf({}, { scopes: ['*', { id: 'admin', access: 'read' }, { id: 'news' }] })).toEqual([
      ['ana', 'write'],
      ['admin', 'read'],
      ['news', 'write'],
    ])
    warned.mockClear()
    const authenticate = createAuthenticate({ secret: testSecret })
    for (const sub of ['a', 'b', 'c']) await authenticate(`Bearer ${await tokenOf({ sub, scopes: ['secret:read'] })}`)
    expect(warned).toHaveBeenCalledTimes(1)
    expect(warned.mock.calls[0]?.[0]).toMatch(/AUTH_SCOPES_CLAIM/)
    expect(warned.mock.calls[0]?.[0]).not.toMatch(/secret/)
  })

  it('takes all others, and by the setting all there are', async () => {
    expect(await scopesOf({}, { scopes })).toEqual(['ana', ...scopes].map((name) => [name, 'write']))
    expect(await granted('scopes', { scopes: permissions })).toEqual(permissions.map((name) => [name, 'write']))
  })
})
