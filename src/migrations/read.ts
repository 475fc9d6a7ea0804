import { readdir, readFile } from 'node:fs/promises'
import type { Migration } from './apply.ts'
export async function readMigrations(dialect: string): Promise<Migration[]> {
  const folder = new URL(`../../migrations/${dialect}/`, import.meta.url)
  const files = (await readdir(folder)).sort()
  return Promise.all(
    files.map(async (f) => ({
      name: f,
      statements: (await readFile(new URL(f, folder), 'utf8')).split(';\n').filter((s) => s.trim()),
    })),
  )
}
