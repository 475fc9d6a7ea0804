import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { binaryOf, makeProject, startCommand } from '../support/elsewhere.ts'
import { startHranaServer } from '../support/hrana-server.ts'
import { listenByEvents, listenBySocket } from '../support/live.ts'
import { startNeonGateway } from '../support/neon-gateway.ts'
import { settings, statuses, takeAll } from '../support/requests.ts'
import { migrateAt, type Runtime } from '../support/runtimes.ts'
import { request, testSecret } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

/** Of a worker with one store, as `npm run size` has it. */
const bytesMax = 105_000

const common = { AUTH_SECRET: testSecret, LOG: 'off', ...settings }
let folder: string
let drop: () => Promise<void>
beforeAll(async () => {
  ;({ folder, drop } = await temporaryFolder())
  await makeProject(folder)
})
afterAll(() => drop())

/** A command of the manual over an embedded file of its own. */
async function start(name: string, command: readonly string[]): Promise<Runtime> {
  await mkdir(join(folder, name))
  const server = await startCommand(command, folder, { ...common, DATABASE_URL: `file:${name}/a.db` })
  return { url: server.url, close: () => watch(server) }
}

/** At last it tells its listeners of a push, and ends by itself. */
async function watch(server: Runtime & { readonly exitCode: Promise<number | null> }): Promise<void> {
  const listeners = [await listenBySocket(server.url, { sub: 'eve' }), await listenByEvents(server.url, { sub: 'eve' })]
  const body = {
    client: 'a',
    changes: [{ table: 'lists', op: 'put', id: '1', at: 1_700_000_000_000_000, row: { name: 'x' } }],
  }
  expect((await request(server.url, 'POST', '/v1/push', { sub: 'eve', body })).status).toBe(200)
  await Promise.all(listeners.map((one) => one.reached('eve', 1)))
  await server.close()
  expect(await server.exitCode).toBe(0)
  for (const { closed } of listeners) await closed
}

/** A server of the manual over Postgres. */
async function serve(command: readonly string[]): Promise<Runtime> {
  const DATABASE_URL = await createDatabase()
  await migrateAt(DATABASE_URL)
  return startCommand(command, folder, { ...common, DATABASE_URL })
}

/**
 * A handler of the manual in workerd that has nothing of Node, where the names that the edge gives
 * stand for these values.
 */
async function onEdge(file: string, globals: string, outboundService?: (asked: Request) => Promise<Response>) {
  const bundle = await build({
    stdin: {
      contents: `import handler from './${file}'\nexport default { fetch: (one) => handler(one) }`,
      resolveDir: folder,
    },
    ...{ bundle: true, format: 'esm', minify: true, write: false, metafile: true, logLevel: 'error' },
    // What is of Node stays as it is, and can be seen.
    ...{ platform: 'neutral', mainFields: ['browser', 'module', 'main'], external: ['node:*'] },
    conditions: ['edge-light', 'worker', 'browser'],
    banner: { js: globals },
  })
  const [output] = bundle.outputFiles
  const imports = Object.values(bundle.metafile.outputs).flatMap((one) => one.imports.map(({ path }) => path))
  expect(imports).toEqual([])
  expect(gzipSync(output?.contents ?? '', { level: 9 }).length).toBeLessThan(bytesMax)
  const worker = new Miniflare(
    convertV4MiniflareOptions({
      ...{ host: '127.0.0.1', compatibilityDate: '2026-10-23' },
      modules: [{ type: 'ESModule', path: 'edge.mjs', contents: output?.text ?? '' }],
      ...(outboundService && { outboundService }),
    }),
  )
  return { url: `${(await worker.ready).origin}/api/sync`, close: () => worker.dispose() }
}

const [bun, deno] = [binaryOf('Bun'), binaryOf('Deno')]
const manual: Readonly<Record<string, readonly [needs: string, open: () => Promise<Runtime>]>> = {
  'Node: driftline start': ['Node', () => start('node', [process.execPath, 'node_modules/.bin/driftline', 'start'])],
  'Bun: bunx --bun driftline start': ['Bun', () => start('bun', [bun ?? '', 'x', '--bun', 'driftline', 'start'])],
  'Bun.serve of the manual': ['Bun', () => serve([bun ?? '', 'server.ts'])],
  'Deno: deno run -A npm:driftline start': [
    'Deno',
    () => start('deno', [deno ?? '', 'run', '-A', 'npm:driftline', 'start']),
  ],
  'Deno.serve of the manual': ['Deno', () => serve([deno ?? '', 'run', '-A', 'deno.ts'])],
  'the edge function of the manual for Vercel, over Neon': [
    'Node',
    async () => {
      const url = new URL(await createDatabase())
      await migrateAt(url.href)
      const gateway = await startNeonGateway(inject('postgresUrl'))
      url.hostname = 'ep-test.neon.tech'
      const env = JSON.stringify({ ...common, DATABASE_URL: url.href })
      const edge = await onEdge('api/sync.ts', `const process = { env: ${env} }`, async (asked) => {
        expect(asked.url).toBe('https://api.neon.tech/sql')
        return fetch(gateway.fetchEndpoint, {
          method: 'POST',
          headers: [...asked.headers],
          body: await asked.text(),
        })
      })
      return { url: edge.url, close: () => edge.close().then(gateway.close) }
    },
  ],
  'the edge function of the manual for Netlify, over libSQL': [
    'Node',
    async () => {
      const database = await startHranaServer(join(folder, 'netlify.db'))
      await migrateAt(database.url)
      const env = JSON.stringify({ ...common, DATABASE_URL: database.url })
      const edge = await onEdge(
        'netlify/edge-functions/sync.ts',
        `const Netlify = { env: { toObject: () => (${env}) } }`,
      )
      return { url: edge.url, close: () => edge.close().then(database.close) }
    },
  ],
}

/** A plain handler has no live updates, and does not name their route. */
const toldOf = (answer: string, name: string) =>
  name.includes('of the manual') ? answer.replace(', /v1/live', '') : answer

describe('wherever the manual says that it runs', () => {
  const [first = '', ...others] = Object.keys(manual)
  const answers = new Map<string, readonly string[]>()
  const take = async (name: string) => {
    const runtime = await manual[name]?.[1]()
    if (!runtime) throw new TypeError(`${name} is none of the manual's`)
    try {
      return await takeAll(runtime.url)
    } finally {
      await runtime.close()
    }
  }

  it(`${first} takes every kind of request`, async () => {
    const seen = await take(first)
    expect(seen.map((answer) => answer.slice(0, 3)).join(' ')).toBe(statuses)
    answers.set(first, seen)
  })

  for (const name of others) {
    const needs = manual[name]?.[0] ?? ''
    const isThere = needs === 'Node' || binaryOf(needs) !== undefined
    it.skipIf(!isThere)(
      `P7 ${name}, gives the same bytes${isThere ? '' : `: skipped, npm has no ${needs} here`}`,
      async () => {
        const [expected = [], seen] = [answers.get(first), await take(name)]
        // The last is of the documents, which these edges do not serve.
        const count = expected.length - (name.startsWith('the edge') ? 1 : 0)
        for (let place = 0; place < count; place++) expect(seen[place]).toBe(toldOf(expected[place] ?? '', name))
        expect(seen).toHaveLength(expected.length)
        if (count < expected.length) expect(seen.at(-1)).toMatch(/^404 /)
      },
    )
  }
})
