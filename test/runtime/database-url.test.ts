import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { nameOf } from '../../src/runtime/node/databases.ts'
import { openAnyStore } from '../../src/runtime/workers/store.ts'
import { readDatabaseUrl } from '../../src/stores/database-url.ts'
import { neonStore } from '../../src/stores/neon.ts'
import { postgresEdgeStore } from '../../src/stores/postgres/edge.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import { readPostgresUrl } from '../../src/stores/postgres/url.ts'
import { runCli } from '../support/command.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { runHere } from '../support/run-here.ts'
import { startServer } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

/**
 * Passwords that are not encoded: in one of their letters begins what a URL takes for something
 * else.
 */
const passwords = [
  'p@Geheim',
  'Geheim#w',
  'Geheim/w',
  'Geheim?w',
  'Geheim%',
  'Geheim%zz',
  '%C3%28Geheim',
  'p@Geheim#w/rd',
  '123/Geheim',
  '5432#Geheim',
  '5432?Geheim',
]
const encoded = 'the password must be percent-encoded'

/** Broken in another way, and what the sentence says. Each holds a secret that it must not show. */
const broken: [string, RegExp][] = [
  ['postgres://u:Geheim@127.0.0.1:port/x', /of the form postgres:/],
  ['postgres://u:Geheim@127.0.0.1:99999/x', /of the form postgres:/],
  ['postgres://u:Geheim@ho st/x', /a space in a password is %20/],
  ['postgres://u:Geheim@a,b/x', /one host/],
  ['postgres://u:Geheim@[::1/x', /of the form postgres:/],
  ['postgres:u:Geheim@127.0.0.1/x', /must begin with/],
  ['mysql://u:Geheim@127.0.0.1/x', /must begin with/],
  ['Geheim', /must begin with/],
  ['postgres://u:Geheim@127.0.0.1:1/x?sslmode=Geheim', /sslmode in DATABASE_URL must be one of disable/],
  ['postgres://u:Geheim@127.0.0.1:1/x?statement_cache=Geheim', /the parameter statement_cache, which/],
  ['postgres://u:Geheim@127.0.0.1:1/x?connection_limit=0', /connection_limit in DATABASE_URL must be a whole number/],
  ['postgres://u:Geheim@127.0.0.1:1/x?schema=a"b', /schema in DATABASE_URL must name one schema/],
  [
    'postgres://u:Geheim@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/none',
    /sslrootcert in DATABASE_URL must name a file/,
  ],
  ['postgres://u:Geheim@127.0.0.1:1/x?sslmode=no-verify&channel_binding=require', /channel_binding=require/],
  ['postgres://u:Geheim@127.0.0.1:1/x?uselibpqcompat=true&sslmode=verify-ca', /needs sslrootcert/],
  ['postgres://u:Geheim@127.0.0.1:1/x', /ECONNREFUSED/],
  ['postgres://u:Geheim@nowhere.invalid/x', /ENOTFOUND|EAI_AGAIN/],
  ['postgres://u:Geheim@/x?host=/nowhere', /ENOENT/],
  ['libsql://u:Geheim@127.0.0.1:1', /DATABASE_AUTH_TOKEN/],
  ['libsql://127.0.0.1:1?authToken=Geheim&x=1', /takes the parameters/],
  ['libsql://127.0.0.1#Geheim', /of the form libsql:/],
  ['https://127.0.0.1:port?authToken=Geheim', /of the form libsql:/],
  ['http://127.0.0.1:1?authToken=Geheim', /./],
  ['libsql://127.0.0.1?tls=0&authToken=Geheim', /must name a port/],
]

function isRefused(url: string): boolean {
  try {
    readDatabaseUrl({ DATABASE_URL: url })
    return false
  } catch {
    return true
  }
}

describe('DATABASE_URL that is wrong', () => {
  it.each(passwords)('is refused before anything is resolved, for the password %s', async (password) => {
    for (const url of [
      `postgres://u:${password}@db.example:5432/x`,
      `postgresql://u:${password}@ep-x.neon.tech/x?sslmode=require`,
    ]) {
      expect(() => readDatabaseUrl({ DATABASE_URL: url })).toThrow(encoded)
      await expect(openAnyStore({ DATABASE_URL: url })).rejects.toThrow(encoded)
      expect(() => postgresStore(url)).toThrow(encoded)
    }
    const fine = `postgres://u:${encodeURIComponent(password)}@db.example:5432/x`
    expect(readPostgresUrl(fine).client).toMatchObject({ password, host: 'db.example', port: 5432, database: 'x' })
    expect(nameOf(readDatabaseUrl({ DATABASE_URL: fine }))).toBe('db.example:5432/x')
  })

  it.each(broken)('%s shows none of its secret where it is read', (url, says) => {
    let message = ''
    try {
      // The files of certificates are read when the store is opened.
      if (url.startsWith('postgres://')) postgresStore(readDatabaseUrl({ DATABASE_URL: url }))
      else readDatabaseUrl({ DATABASE_URL: url })
    } catch (error) {
      message = String(error)
      expect(message).toMatch(says)
    }
    expect(message).not.toContain('Geheim')
    expect(message !== '').toBe(isRefused(url) || url.includes('sslrootcert=/none'))
  })

  const lines = join(tmpdir(), `driftline-${process.pid}.ndjson`)
  beforeAll(() => writeFileSync(lines, '{"id":"a","name":"x"}\n'))
  afterAll(() => rmSync(lines, { force: true }))

  const commands: [string, string[]][] = [
    ['start', []],
    ['migrate', []],
    ['migrate', ['--check']],
    ['migrate', ['--list']],
    ['restored', []],
    ['prune', []],
    ['deliveries', []],
    ['export', ['--scope', 'alice']],
    ['import', ['--table', 'lists', '--scope', 'alice', lines]],
    ['dev', []],
    ['token', ['--sub', 'alice']],
  ]
  it.each(commands)(
    'shows no piece of its password in npm run %s %j',
    async (command, args) => {
      const tried: [string, RegExp][] = [
        ['postgres://u:p@Geheim#w/rd@127.0.0.1:5432/x', new RegExp(encoded)],
        ...broken,
      ]
      // All that reading takes for the server, and some that it refuses; the others read it by the
      // same function.
      const isAsked = ([url]: (typeof tried)[number], place: number) =>
        [0, 12, 16].includes(place) || (command === 'start' && !isRefused(url))
      for (const [url, says] of tried.filter(isAsked)) {
        // Once as it is started, with the warnings of a process; all else comes to its end in this
        // one.
        const run = command === 'dev' || (command === 'start' && url === tried[0]?.[0]) ? runCli : runHere
        const { code, out, err } = await run(command, args, {
          DATABASE_URL: url,
          PORT: '0',
          AUTH_SECRET: 'x'.repeat(32),
        })
        expect(out + err, url).not.toMatch(/Geheim|\n\s+at |SECURITY/)
        if (command === 'token' || args[0] === '--list') continue
        expect([url, code, out + err]).toEqual([url, 1, expect.stringMatching(says)])
        expect(
          err
            .trim()
            .split('\n')
            .filter((line) => line !== '').length,
          err,
        ).toBeLessThanOrEqual(2)
      }
    },
    240_000,
  )

  it.each([
    ['file:', /must name a file/],
    ['file:.', /must name a file/],
    ['file:data/', /must name a file/],
    ['file:?x', /takes no parameters/],
    ['file:x.db?mode=ro', /takes no parameters/],
    ['file:data/{scope}.db?cache=shared', /takes no parameters/],
    ['file://host/x.db', /names a host/],
    ['file:migrations', /cannot be opened and written/],
    ['file:driftline.config.ts/x.db', /cannot be opened and written/],
    ['file:/proc/x.db', /cannot be opened and written/],
    ['file:driftline.config.ts', /is no database/],
  ])('%s is refused at start by a sentence', async (url, says) => {
    const { code, out, err } = await runHere('start', [], { DATABASE_URL: url, PORT: '0', AUTH_SECRET: 'x'.repeat(32) })
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(says)
  })
})

describe('DATABASE_URL as others write it', () => {
  it('works with the parameters of Prisma, Neon and libpq, and names no password', async () => {
    const url = await createDatabase()
    const admin = new pg.Client({ connectionString: url })
    await admin.connect()
    await admin.query('CREATE SCHEMA app')
    const where = `${url}?schema=app&pgbouncer=true&connection_limit=2&connect_timeout=15&sslmode=disable&channel_binding=prefer&application_name=mine`
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ DATABASE_URL: where }, folder)
    const body = {
      client: 'a',
      changes: [{ table: 'lists', op: 'put', id: 'l1', at: Date.now() * 1000, row: { name: 'x' } }],
    }
    expect((await server.request('POST', '/v1/push', { body })).json.verdicts).toMatchObject([{ verdict: 'applied' }])
    expect((await server.request('GET', '/v1/pull')).json.changes).toMatchObject([{ row: { name: 'x' } }])
    const { rows } = await admin.query(
      "SELECT schemaname FROM pg_tables WHERE tablename IN ('lists', 'driftline_scopes')",
    )
    expect(rows).toEqual([{ schemaname: 'app' }, { schemaname: 'app' }])
    const { rows: names } = await admin.query(
      "SELECT DISTINCT application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND application_name IN ('mine', 'driftline')",
    )
    expect(names).toEqual([{ name: 'mine' }])
    expect(await server.stop()).toBe(0)
    for (const store of [postgresEdgeStore(where), postgresStore(`${url}?options=-csearch_path%3Dapp`)]) {
      expect(await store.batch('', [{ sql: 'SELECT name FROM lists', params: [] }])).toEqual([[['x']]])
      await store.close()
    }
    const missing = await startServer({ DATABASE_URL: `${url}?schema=none` }, folder)
    expect([await missing.stop(), missing.output()]).toEqual([
      1,
      expect.stringMatching(/^The schema of DATABASE_URL, .* CREATE SCHEMA/),
    ])
    await admin.end()
    await drop()
  })

  it.each(['LATIN1', 'SQL_ASCII'])('a database in %s is refused at start, before a table is made', async (encoding) => {
    const admin = new pg.Client({ connectionString: inject('postgresUrl') })
    await admin.connect()
    await admin.query(`CREATE DATABASE in_${encoding} ENCODING '${encoding}' TEMPLATE template0 LOCALE 'C'`)
    const url = inject('postgresUrl').replace(/\w+$/, `in_${encoding.toLowerCase()}`)
    for (const [run, command, args] of [
      [runHere, 'start', []],
      [runHere, 'migrate', []],
      [runHere, 'migrate', ['--check']],
    ] as const) {
      const { code, out, err } = await run(command, args, {
        DATABASE_URL: url,
        PORT: '0',
        AUTH_SECRET: 'x'.repeat(32),
      })
      expect([code, out + err]).toEqual([
        1,
        expect.stringMatching(new RegExp(`has the encoding ${encoding}, .* ENCODING 'UTF8'`)),
      ])
    }
    const store = postgresStore(url)
    expect(
      await store.batch('', [{ sql: "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", params: [] }]),
    ).toEqual([[['0']]])
    await expect(migrate(store, [])).rejects.toThrow(TypeError)
    await store.close()
    await admin.query(`DROP DATABASE in_${encoding}`)
    await admin.end()
  })

  it('names for Neon what its HTTP does not take, and keeps what it does', () => {
    expect(() => neonStore('postgres://u:Geheim@ep-x.neon.tech/x?options=-csearch_path%3Dapp')).toThrow(/write schema=/)
    expect(() => neonStore('postgres://ep-x.neon.tech/x')).toThrow(/must name user and database/)
    expect(
      neonStore('postgres://u:p%40@ep-x.neon.tech/x?sslmode=require&channel_binding=require&options=endpoint%3Dep-x'),
    ).toBeDefined()
  })
})

describe('Postgres with a certificate of its own, on a socket too', () => {
  let postgres: Postgres
  let folder: string
  let drop: () => Promise<void>
  beforeAll(async () => {
    ;({ folder, drop } = await temporaryFolder())
    const sockets = join(folder, 'sockets')
    mkdirSync(sockets, { mode: 0o777 })
    const [key, cert] = [join(folder, 'server.key'), join(folder, 'server.crt')]
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=db.example',
        '-addext',
        'subjectAltName=DNS:localhost',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'ignore' },
    )
    execFileSync('chmod', ['-R', 'a+rX', folder])
    execFileSync('chmod', ['0600', key])
    execFileSync('chmod', ['0777', sockets])
    if (process.getuid?.() === 0) chownSync(key, 65_534, 65_534)
    postgres = await startPostgres({
      settings: { ssl: 'on', ssl_key_file: key, ssl_cert_file: cert, unix_socket_directories: sockets },
    })
    writeFileSync(join(folder, 'ca.pem'), readFileSync(cert))
  })
  afterAll(async () => {
    await postgres.stop()
    await drop()
  })
  const at = (params: string, host = 'localhost') => `postgres://postgres@${host}:${postgres.port}/postgres?${params}`

  it.each(['sslmode=require', 'sslmode=prefer', 'sslmode=verify-ca', 'sslmode=verify-full', 'ssl=true'])(
    '%s says what to write, in one sentence and without the warning of the driver',
    async (params) => {
      const run = params === 'sslmode=require' ? runCli : runHere
      const { code, out, err } = await run('start', [], {
        DATABASE_URL: at(params),
        PORT: '0',
        AUTH_SECRET: 'x'.repeat(32),
      })
      expect([code, out]).toEqual([1, ''])
      expect(err).toMatch(
        /^driftline cannot start: the certificate .*sslrootcert=.*sslmode=no-verify.*uselibpqcompat=true&sslmode=require.*\n$/,
      )
    },
  )

  it('and what it says works, each way, and a socket as libpq and URLs write it', async () => {
    const ca = join(folder, 'ca.pem')
    const [own, sockets] = [encodeURIComponent(ca), join(folder, 'sockets')]
    const urls = [
      at('sslmode=no-verify'),
      at('uselibpqcompat=true&sslmode=require'),
      at('uselibpqcompat=true&sslmode=prefer'),
      at(`sslrootcert=${own}`),
      at(`sslmode=require&sslrootcert=${own}`),
      at(`sslmode=verify-full&sslrootcert=${ca}`),
      at(`sslmode=verify-full&sslrootcert=${own}&channel_binding=require`),
      at(`uselibpqcompat=true&sslmode=verify-ca&sslrootcert=${own}`, '127.0.0.1'),
      at('sslmode=disable'),
      at(''),
      `postgres:///postgres?host=${sockets}&port=${postgres.port}&user=postgres`,
      `postgres://postgres@${encodeURIComponent(sockets)}:${postgres.port}/postgres?sslmode=require`,
    ]
    for (const url of urls) {
      const store = postgresStore(readDatabaseUrl({ DATABASE_URL: url }))
      const answer = store.batch('', [{ sql: 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', params: [] }])
      const plain = /disable|\?$|sockets/.test(url)
      expect([url, await answer]).toEqual([url, [[[plain ? 'f' : 't']]]])
      await store.close()
    }
    expect(nameOf(urls[10] ?? '')).toBe(`${sockets}:${postgres.port}/postgres`)
    const other = postgresStore(at(`sslmode=verify-full&sslrootcert=${own}`, '127.0.0.1'))
    await expect(other.batch('', [{ sql: 'SELECT 1', params: [] }])).rejects.toThrow(/is for another host/)
    await other.close()
  })

  it('a server without TLS, and a worker that is told of files, say so', async () => {
    const store = postgresStore(`${inject('postgresUrl')}?sslmode=require`)
    await expect(store.batch('', [{ sql: 'SELECT 1', params: [] }])).rejects.toThrow(/speaks no TLS.*sslmode=disable/)
    await store.close()
    for (const url of [at('sslrootcert=/x'), 'postgres:///x?host=/var/run'])
      await expect(openAnyStore({ DATABASE_URL: url })).rejects.toThrow(/may name no files here/)
  })
})
