import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPages } from '../../../.ci/pages/build.ts'
import { type ServerProcess, startServer } from '../../support/server.ts'
import { temporaryFolder } from '../../support/stores.ts'
import { startWorker } from '../../support/worker.ts'

describe('the documents and the pages', () => {
  let node: ServerProcess
  let worker: Awaited<ReturnType<typeof startWorker>>
  let drop = async () => {}
  beforeAll(async () => {
    await buildPages()
    const { folder, drop: dropFolder } = await temporaryFolder()
    drop = dropFolder
    node = await startServer({ DATABASE_URL: `file:${folder}/a.db`, LOG: 'off' })
    worker = await startWorker()
  })
  afterAll(async () => {
    await node.stop()
    await worker.close()
    await drop()
  })

  const ask = (method: string, path: string) =>
    Promise.all([node.url, worker.url].map((url) => fetch(new URL(path, url), { method, redirect: 'manual' })))
  const names = [
    'content-type',
    'cache-control',
    'content-security-policy',
    'x-content-type-options',
    'allow',
    'location',
  ]

  it.each([
    ['GET', '/openapi.json', 200],
    ['HEAD', '/openapi.json', 200],
    ['GET', '/docs', 308],
    ['GET', '/docs/', 200],
    ['HEAD', '/docs/', 200],
    ['GET', '/docs/wire', 200],
    ['GET', '/docs/wire.html', 200],
    ['GET', '/docs/nothing', 404],
    ['GET', '/docs/wire/', 404],
    ['GET', '/docs/nothing.js', 404],
    ['GET', '/docs/.stamp', 404],
    ['GET', '/docs/%2e%2e%2fpackage.json', 404],
    ['GET', '/docs/..%5c..%5cpackage.json', 404],
    ['POST', '/docs', 405],
    ['POST', '/docs/wire', 405],
    ['GET', '/docs.html', 404],
    ['GET', '/reference', 200],
    ['HEAD', '/reference', 200],
    ['GET', '/reference/', 308],
    ['GET', '/reference/nothing', 404],
    ['PUT', '/reference', 405],
  ])('%s %s are the same bytes and headers from Node and from a worker', async (method, path, status) => {
    const [a, b] = await ask(method, path)
    const headersOf = (answer: Response | undefined) => names.map((name) => answer?.headers.get(name))
    expect([a?.status, b?.status]).toEqual([status, status])
    expect(headersOf(b)).toEqual(headersOf(a))
    for (const answer of [a, b]) {
      expect(answer?.headers.get('server-timing')).toMatch(/^total;dur=/)
      expect(answer?.headers.get('x-request-id')).toHaveLength(36)
    }
    if (status === 200) expect(await b?.text()).toBe(await a?.text())
  })

  it('every file of the pages is served as it was built, and scripts and styles are kept by browsers', async () => {
    const root = new URL('../../../pages/', import.meta.url)
    const files = (await readdir(root, { recursive: true })).filter((name) => /^(docs|reference)\/.*\.\w+$/.test(name))
    expect(files.length).toBeGreaterThan(40)
    for (const name of files) {
      const built = await readFile(new URL(name, root), 'utf8')
      // The page of the reference is /reference itself, beside which its files are.
      const path = name === 'reference/index.html' ? '/reference' : `/${name}`
      for (const answer of await ask('GET', path)) {
        expect([name, answer.status]).toEqual([name, 200])
        expect((await answer.text()) === built, name).toBe(true)
        expect(answer.headers.get('cache-control')).toMatch(name.includes('/assets/') ? /immutable/ : /max-age=300$/)
        expect(answer.headers.get('content-type')).not.toBe('application/octet-stream')
        expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/)
      }
    }
  })

  it('every page of the manual is a page, and its links lead to pages and headings that are there', async () => {
    const manual = (await readdir('docs')).filter((name) => name.endsWith('.md') && name !== 'README.md')
    const pages = new Map<string, string>()
    for (const name of ['', ...manual.map((one) => one.slice(0, -3))])
      pages.set(`/docs/${name}`, await (await fetch(new URL(`/docs/${name}`, node.url))).text())
    for (const [from, html] of pages) {
      expect(html).not.toMatch(/<script(?![^>]* src=")|\son\w+=|javascript:/)
      const [, main = ''] = html.split('<main')
      for (const [, link = ''] of main.matchAll(/<a [^>]*?href="([^"]+)"/g)) {
        const { pathname, hash, host } = new URL(link, new URL(from, node.url))
        if (host !== new URL(node.url).host) continue
        expect([...pages.keys()], `${from}: ${link}`).toContain(pathname)
        if (hash) expect(pages.get(pathname), `${from}: ${link}`).toContain(`id="${decodeURIComponent(hash.slice(1))}"`)
      }
    }
  })
})
