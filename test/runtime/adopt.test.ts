import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import { runCli } from '../support/command.ts'
import { testSecret } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`

/** docs/adopt.md, with the schema that it shows. */
describe.each(['libsql file', 'postgres'] as const)(
  'a table that exists is adopted as the manual says, on %s',
  (name) => {
    it('P17 P22 generate, migrate, reconcile: phones get its rows, SQL goes on, and the table is as it was', async () => {
      const { folder, drop } = await temporaryFolder()
      onTestFinished(drop)
      const manual = await readFile('docs/adopt.md', 'utf8')
      const [, block = ''] = /\n( {4}import \{ adopted[\s\S]*?\n {4}\}\))\n/.exec(manual) ?? []
      const shown = block.replaceAll(/^ {4}/gm, '')
      const index = pathToFileURL(join(process.cwd(), 'src/index.ts')).href
      const schemaFile = join(folder, 'schema.ts')
      await writeFile(schemaFile, shown.replace("'driftline'", `'${index}'`))
      await writeFile(
        join(folder, 'driftline.config.ts'),
        `import { defineConfig } from '${index}'\nimport { schema } from './schema.ts'\nexport default defineConfig({ schema })\n`,
      )
      // Else the tests' own project stands here.
      await writeFile(join(folder, 'driftline.config.mjs'), "export { default } from './driftline.config.ts'\n")
      await mkdir(join(folder, 'migrations'))
      const url = name === 'postgres' ? await createDatabase() : `file:${join(folder, 'app.db')}`
      const store = name === 'postgres' ? postgresStore(url) : await libsqlFileStore(url)
      onTestFinished(() => store.close())
      const own = async (sql: string) => (await store.batch('', [{ sql, params: [] }]))[0] ?? []
      const [uuid, time] =
        name === 'postgres' ? ['uuid', 'timestamptz DEFAULT now()'] : ['TEXT', 'TEXT DEFAULT CURRENT_TIMESTAMP']
      await own(
        `CREATE TABLE tasks (id ${uuid} NOT NULL PRIMARY KEY, user_id text, title text NOT NULL, status text NOT NULL DEFAULT 'open', created_at ${time} NOT NULL, budget integer NOT NULL DEFAULT 7)`,
      )
      await own(
        `INSERT INTO tasks (id, user_id, title) VALUES ('${id(1)}', 'alice', 'one'), ('${id(2)}', 'bob', 'two')`,
      )
      const run = async (command: string, ...args: string[]) => {
        const { code, out, err } = await runCli(command, args, { DATABASE_URL: url }, { cwd: folder })
        expect({ code, err: err.replaceAll(/^.*(?:Warning|--trace-warnings).*\n/gm, '') }).toEqual({ code: 0, err: '' })
        return out
      }
      expect(await run('generate', '--name', 'adopt-tasks')).toMatch(/reconcile --table tasks/)
      expect(await run('migrate')).toMatch(/adopt-tasks/)
      expect(await run('migrate', '--check')).not.toMatch(/tasks/)
      expect(await run('reconcile', '--table', 'tasks')).toMatch(/tasks: 2 rows were found, and 0 were gone/)
      expect(await run('reconcile', '--table', 'tasks')).toMatch(/tasks: 0 rows were found, and 0 were gone/)

      const { schema } = (await import(pathToFileURL(schemaFile).href)) as {
        schema: Parameters<typeof createApp>[0]['schema']
      }
      const app = createApp({ schema, store, auth: { secret: testSecret } })
      const headers = {
        Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`,
        'Content-Type': 'application/json',
      }
      const sync = async (body: object) =>
        (
          await app.request('/v1/sync', { method: 'POST', headers, body: JSON.stringify({ client: 'phone', ...body }) })
        ).json()
      const first = (await sync({ cursor: null })) as { cursor: string; changes: object[] }
      expect(first.changes).toMatchObject([
        { id: id(1), at: 946_684_800_000_000, row: { title: 'one', status: 'open' } },
      ])
      const change = { table: 'tasks', op: 'patch', id: id(1), at: Date.now() * 1000, row: { status: 'done' } }
      expect(await sync({ changes: [change] })).toMatchObject({ verdicts: [{ verdict: 'applied' }] })
      expect(await own("SELECT title, status, budget FROM tasks WHERE user_id = 'alice'")).toEqual([
        ['one', 'done', name === 'postgres' ? '7' : 7],
      ])
      await own(`UPDATE tasks SET title = 'by psql' WHERE id = '${id(1)}'`)
      expect(await sync({ cursor: first.cursor })).toMatchObject({
        changes: [{ by: 'sql', row: { title: 'by psql', status: 'done' } }],
      })
      expect(await run('reconcile', '--all')).toMatch(/tasks: 2 rows were found/)
      expect(Object.keys((await sync({ cursor: null })) as object)).toContain('changes')
    })
  },
)
