import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildPages } from '../../.ci/pages/build.ts'
import { createApp } from '../../src/http/app.ts'
import { readPage } from '../../src/node.ts'
import { documentsOf } from '../../src/openapi/documents.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { browserMissing, hasBrowser, openBrowser } from '../support/browser.ts'
import { schema } from '../support/schema.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { openTestStore, temporaryFolder } from '../support/stores.ts'

const manual = readdirSync('docs')
  .filter((name) => name.endsWith('.md'))
  .map((name) => (name === 'README.md' ? '/docs/' : `/docs/${name.slice(0, -3)}`))

/** A desk and a phone, by day and by night. */
const screens = [
  ['light', 1280],
  ['dark', 390],
] as const

describe.skipIf(!hasBrowser)(`the pages in a browser${hasBrowser ? '' : `, ${browserMissing}`}`, () => {
  let server: ServerProcess
  let browser: Browser
  let drop = async () => {}
  beforeAll(async () => {
    await buildPages()
    const { folder, drop: dropFolder } = await temporaryFolder()
    drop = dropFolder
    server = await startServer({ DATABASE_URL: `file:${folder}/a.db`, LOG: 'off' })
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await drop()
  })

  /** A page, and what went wrong on it: a fault, a breach of its policy, a request to somebody else. */
  async function open(
    colorScheme: 'light' | 'dark',
    width: number,
    own = server.url,
  ): Promise<{ page: Page; wrong: string[] }> {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme })
    const page = await context.newPage()
    const wrong: string[] = []
    page.on('console', (line) => line.type() === 'error' && wrong.push(line.text()))
    page.on('pageerror', ({ message }) => wrong.push(message))
    page.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(own) && !/^(data|blob):/.test(url)) wrong.push(url)
    })
    return { page, wrong }
  }

  /** In how many lines each of these texts stands. */
  const lines = (texts: Locator) =>
    texts.evaluateAll((elements) =>
      elements.map((element) => {
        const range = document.createRange()
        range.selectNodeContents(element)
        return new Set([...range.getClientRects()].map(({ top }) => Math.round(top / 10))).size
      }),
    )

  /** How far the page reaches beyond the screen. */
  const overflow = (page: Page) =>
    page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth))

  it.each(screens)(
    'the manual: no page is wider than a screen of %s and %i pixels, breaks its policy or asks another host',
    async (colours, width) => {
      const { page, wrong } = await open(colours, width)
      for (const path of manual) {
        await page.goto(server.url + path)
        // Only when its scripts run: a page without them would break no policy.
        await page.waitForSelector('.VPNavBarSearch button')
        expect([path, await overflow(page), wrong]).toEqual([path, 0, []])
        expect(await page.locator('html').getAttribute('class')).toEqual(
          colours === 'dark' ? expect.stringMatching(/dark/) : expect.not.stringMatching(/dark/),
        )
      }
      await page.goto(`${server.url}/docs/limits`)
      const name = page.locator('td code', { hasText: /^DATABASE_AUTH_TOKEN$/ }).first()
      expect(await lines(name), 'a name stands in one line').toEqual([1])
      await page.goto(`${server.url}/docs/wire`)
      const code = await page
        .locator('pre')
        .first()
        .evaluate(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])
      expect(code[0], 'a block of code scrolls by itself').toBeGreaterThan(code[1] ?? 0)
      expect(await overflow(page)).toBe(0)
      expect(await lines(page.locator('td', { hasText: /^413, 415$/ })), 'codes of a status stand in one line').toEqual(
        [1],
      )
    },
  )

  it('the manual is searched, and read from page to page, without another load', async () => {
    const { page, wrong } = await open('light', 1280)
    await page.goto(`${server.url}/docs`)
    expect(page.url()).toBe(`${server.url}/docs/`)
    await page.locator('.VPNavBarSearch button').first().click()
    await page.locator('.VPLocalSearchBox input').fill('watermark')
    await page.locator('.VPLocalSearchBox .result').first().click()
    await page.waitForURL(/\/docs\/[\w-]+(#.*)?$/)
    await page.locator('.VPSidebar a', { hasText: 'Conflicts' }).click()
    await page.waitForURL(`${server.url}/docs/conflicts`)
    await page.locator('h1', { hasText: 'Conflicts' }).waitFor()
    await page.locator('.VPNav a', { hasText: 'API reference' }).click()
    await page.waitForURL(`${server.url}/reference`)
    expect(wrong).toEqual([])
  })

  it('both are read under a path of somebody else’s app, where the reference sends its requests too', async () => {
    const { store, close } = await openTestStore('libsql file')
    const sync = createApp({ schema, store, auth: { secret: testSecret }, documents: documentsOf(schema, readPage) })
    const app = new Hono().mount('/api/sync', sync.fetch)
    const own = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
    await once(own, 'listening')
    const url = `http://127.0.0.1:${(own.address() as AddressInfo).port}/api/sync`
    const { page, wrong } = await open('light', 1280, url)
    await page.goto(`${url}/docs`)
    await page.locator('.VPSidebar a', { hasText: 'Conflicts' }).click()
    await page.waitForURL(`${url}/docs/conflicts`)
    await page.locator('h1', { hasText: 'Conflicts' }).waitFor()
    await page.reload()
    await page.locator('h1', { hasText: 'Conflicts' }).waitFor()
    await page.locator('.VPNav a', { hasText: 'API reference' }).click()
    await page.waitForURL(`${url}/reference`)
    await page.locator('button', { hasText: 'Test Request' }).first().click()
    const answered = page.waitForResponse(`${url}/v1/sync`)
    await page
      .locator('button', { hasText: /^\s*Send/ })
      .first()
      .click()
    // Without a token.
    expect((await answered).status()).toBe(401)
    expect(wrong.filter((line) => !line.includes('401'))).toEqual([])
    own.close()
    await close()
  })

  it.each(screens)(
    'the reference, on a screen of %s and %i pixels: every route, and no call to anybody else',
    async (colours, width) => {
      const { page, wrong } = await open(colours, width)
      await page.goto(`${server.url}/reference`)
      await page.getByText('/v1/sync', { exact: true }).first().waitFor()
      await page.mouse.move(width / 2, 400)
      for (let turn = 0; turn < 5; turn++) {
        await page.mouse.wheel(0, 2_000)
        await page.waitForTimeout(100)
      }
      // What comes into view is laid out only then.
      await expect.poll(() => overflow(page), { timeout: 10_000 }).toBe(0)
      expect(wrong).toEqual([])
      const statuses = await lines(page.getByText(/^(200|401|503)$/))
      expect(new Set(statuses), 'a status is one line').toEqual(new Set([1]))
    },
  )

  it('the reference sends a request with a token, and shows the answer', async () => {
    const { page, wrong } = await open('light', 1280)
    await page.goto(`${server.url}/reference`)
    await page
      .locator('input[placeholder="Token"]')
      .first()
      .fill(await signToken(testSecret, { sub: 'alice' }))
    await page.locator('button', { hasText: 'Test Request' }).first().click()
    const answered = page.waitForResponse(`${server.url}/v1/sync`)
    await page
      .locator('button', { hasText: /^\s*Send/ })
      .first()
      .click()
    const answer = await answered
    expect([answer.status(), await answer.json()]).toMatchObject([200, { verdicts: [{ verdict: 'applied' }] }])
    expect(wrong).toEqual([])
  })
})
