import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildReference } from './reference.ts'
import { relocate } from './relocate.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const pages = join(root, 'pages')

/**
 * Builds pages/: the manual by VitePress and the reference by Scalar, as static files. Takes some
 * ten seconds, or none where nothing is new. Gives a sentence.
 */
export async function buildPages(): Promise<string> {
  const stamp = await stampOf()
  const file = join(pages, stampName)
  if ((await readFile(file, 'utf8').catch(() => '')) === stamp) return 'The pages are as they should be: pages/'
  // Beside its place, so that it gets there in one move.
  const folder = await mkdtemp(join(root, '.pages-'))
  try {
    const vitepress = join(createRequire(import.meta.url).resolve('vitepress/package.json'), '../bin/vitepress.js')
    const command = [vitepress, 'build', 'docs', '--outDir', join(folder, 'docs')]
    await promisify(execFile)(process.execPath, command, { cwd: root })
    await relocate(join(folder, 'docs'))
    await buildReference(join(folder, 'reference'))
    await writeFile(join(folder, stampName), stamp)
    await chmod(folder, 0o755)
    await rm(pages, { recursive: true, force: true })
    // Somebody else may have built the same meanwhile.
    await rename(folder, pages).catch((error) => {
      if (!existsSync(file)) throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return 'Built the pages: pages/'
}

const stampName = '.stamp'

/** Of all that pages are made from. */
async function stampOf(): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of ['docs', '.ci/pages']) {
    const names = (await readdir(join(root, folder), { recursive: true })).sort()
    for (const name of names) {
      if (/cache/.test(name) || !/\.\w+$/.test(name) || name.endsWith('.vitepress')) continue
      hash.update(name).update(await readFile(join(root, folder, name)))
    }
  }
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  for (const name of ['vitepress', '@scalar/fastify-api-reference']) hash.update(devDependencies[name])
  return hash.digest('hex')
}
