import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileName } from './file-name.ts'

/** Where VitePress builds the pages for, as docs/.vitepress/config.ts says. */
const base = '/docs/'
/** From a script in `assets/chunks/`. */
const found = '(new URL("../../",import.meta.url).pathname)'

/**
 * Makes what VitePress has built work under any path, such as `/api/sync/docs/`, and without a
 * script in a page, which the policy of the pages forbids. All pages are in one folder, so they find
 * their files from beside them; scripts find the folder by their own address. Throws where VitePress
 * builds other than it did.
 */
export async function relocate(folder: string): Promise<void> {
  await rm(join(folder, '404.html'), { force: true })
  const pages = (await readdir(folder)).filter((name) => name.endsWith('.html'))
  const inline = new Set<string>()
  for (const name of pages) {
    const html = await readFile(join(folder, name), 'utf8')
    const scripts = [...html.matchAll(/<script id="[\w-]+">(.*?)<\/script>/gs)].map(([, text = '']) => text)
    const script = scripts.join('\n')
    inline.add(script)
    const head = fileName('head.js', script)
    const page = html
      .replace(/\s*<script id="[\w-]+">.*?<\/script>/gs, '')
      .replace('<head>', `<head>\n    <script src="${base}assets/${head}"></script>`)
      .replaceAll(`="${base}`, '="./')
    if (page.includes(base) || /<script(?![^>]* src=)/.test(page))
      throw new Error(`A path or a script is left in ${name}`)
    await writeFile(join(folder, name), page)
  }
  const [script = '', ...others] = inline
  if (others.length > 0 || script === '') throw new Error('The scripts of the pages are not all the same')
  await writeFile(join(folder, 'assets', fileName('head.js', script)), script)

  // Pictures stand beside the script of their page.
  const assets = join(folder, 'assets')
  for (const name of (await readdir(assets)).filter((one) => one.endsWith('.js'))) {
    const text = await readFile(join(assets, name), 'utf8')
    const own = text.replaceAll(
      new RegExp(`"${base}assets/([^"]+)"`, 'g'),
      '(new URL("./$1",import.meta.url).pathname)',
    )
    if (own !== text) await writeFile(join(assets, name), own)
  }

  const chunks = join(folder, 'assets/chunks')
  let replaced = 0
  for (const name of await readdir(chunks)) {
    const text = await readFile(join(chunks, name), 'utf8')
    const own = name.startsWith('metadata.')
      ? `${text}window.__VP_SITE_DATA__.base=${found};`
      : text.replaceAll(`"${base}"`, found)
    if (own === text) continue
    replaced++
    await writeFile(join(chunks, name), own)
  }
  if (replaced !== 2)
    throw new Error(`${replaced} scripts know where the pages are: VitePress builds them otherwise now`)
}
