import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesInManual } from './manual-code.ts'
import { buildPackage } from './package.ts'
import type { Runtime } from './runtimes.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Binaries that npm brings, where it has them for this system. */
const binaries: Readonly<Record<string, string>> = {
  Bun: `@oven/bun-${process.platform}-${process.arch === 'arm64' ? 'aarch64' : process.arch}/bin/bun`,
  Deno: `@deno/${process.platform}-${process.arch}-glibc/deno`,
}

/** Where a runtime is; undefined where npm has not installed it. */
export function binaryOf(runtime: string): string | undefined {
  const file = join(root, 'node_modules', binaries[runtime] ?? '')
  return existsSync(file) ? file : undefined
}

/**
 * Makes a folder a project as npm would: with the built package, all that this repository has
 * beside it, the tables of the tests, and the files of the manual.
 */
export async function makeProject(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, '.bin'), { recursive: true })
  await cp(await buildPackage(), join(modules, 'driftline'), { recursive: true })
  for (const name of await readdir(join(root, 'node_modules')))
    if (!name.startsWith('.')) await symlink(join(root, 'node_modules', name), join(modules, name))
  await symlink('../driftline/cli/main.js', join(modules, '.bin/driftline'))
  await chmod(join(modules, 'driftline/cli/main.js'), 0o755)
  await cp(join(root, 'test/support/project/migrations'), join(folder, 'migrations'), { recursive: true })
  const sample = await readFile(join(root, 'src/testing/sample.ts'), 'utf8')
  const [, tables] = /^export const suiteSchema = (.*?^}\))$/ms.exec(sample) ?? []
  const config = `import { boolean, defineConfig, defineSchema, integer, real, text } from 'driftline'
export const schema = ${tables}
export default defineConfig({ schema })
`
  const files = {
    ...filesInManual('deploy.md'),
    'package.json': JSON.stringify({ private: true, type: 'module', dependencies: { driftline: '0.1.0' } }),
    'driftline.config.ts': config,
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
}

/** Starts a server by a command, and waits for the line that says where it is. */
export async function startCommand(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Runtime & { readonly exitCode: Promise<number | null> }> {
  const [file = '', ...args] = command
  const child: ChildProcess = spawn(file, args, {
    ...{ cwd, stdio: ['ignore', 'pipe', 'pipe'] },
    env: { PATH: process.env.PATH, HOME: cwd, PORT: '0', ...env },
  })
  const exited = once(child, 'exit')
  let output = ''
  const url = await new Promise<string>((found, fail) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text
        const [, at] = /isten(?:s|ing) on (http:\S+?)\/?\s/.exec(output) ?? []
        if (at !== undefined) found(at)
      })
    }
    void exited.then(([code]) => fail(new Error(`${command.join(' ')} ended with ${code}: ${output}`)))
  })
  return {
    url,
    exitCode: exited.then(([code]) => code),
    async close() {
      child.kill()
      await exited
    },
  }
}
