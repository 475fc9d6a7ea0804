import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { devArgs } from '../../src/cli/dev-args.ts'
import { runCli } from '../support/command.ts'
import { runHere } from '../support/run-here.ts'

const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: Record<string, string> }
/** Each command, with the file that it is in. */
const files = new Map(
  [...(await readFile('src/cli/commands.ts', 'utf8')).matchAll(/^ {2}(\w+): \[.*import\('\.\/(.+)'\)\]/gm)].map(
    ([, name = '', file = '']) => [name, `src/cli/${file}`],
  ),
)

/** What cmd.exe of Windows does not read as a POSIX shell does. */
const posix =
  /\bexec\b|'|`|\$|;|\|\||(^|\s)\w+=\S|(^|&&\s*)(rm|cp|mv|mkdir|cat|sh|bash|env|export|test)\s|\.sh\b|\/dev\/|(^|\s)&(\s|$)|\\/

describe('the scripts', () => {
  it.each(Object.entries(scripts))('npm run %s needs no POSIX shell', (_, line) => {
    expect(line).not.toMatch(posix)
  })

  it('nor does the build of the worker', async () => {
    const lines = [...(await readFile('wrangler.toml', 'utf8')).matchAll(/^command = "(.*)"$/gm)].map(
      ([, line]) => line,
    )
    expect(lines).toHaveLength(1)
    for (const line of lines) expect(line).not.toMatch(posix)
  })

  it.each([...files])(
    'npx driftline %s --help explains each option, does nothing else and ends with 0',
    async (name, path) => {
      // Some as processes of their own: what all of them say is the same.
      const runIt = name === 'start' || name === 'migrate' ? runCli : runHere
      const { code, out, err } = await runIt(name, ['--help'], {
        DATABASE_URL: 'postgres://never:asked@127.0.0.1:1/x',
      })
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(new RegExp(`^npx driftline ${name} \\[options\\]`))
      const source = await readFile(path, 'utf8')
      for (const [, option] of source.matchAll(/^ {4,6}'?([\w-]+)'?: \{ type: '(?:string|boolean)'/gm))
        expect(out).toMatch(new RegExp(`^ {2}--${option}( …)? +\\S`, 'm'))
      expect((await runHere(name, ['-h'], {})).out).toBe(out)
    },
  )

  it('an option that a command does not know is named, with those that it knows', async () => {
    expect(await runHere('token', ['--helpp'], {})).toMatchObject({
      code: 1,
      err: expect.stringMatching(/Unknown option '--helpp'/),
    })
    expect(await runCli('start', ['--portt', '1'], {})).toMatchObject({
      code: 1,
      err: expect.stringMatching(/--port …, --host …/),
    })
  })
})

describe('npx driftline dev', () => {
  const env = { PORT: '1', HOST: '::1' }
  it('takes --port and --ip, once each, in the place of the settings, and leaves the rest to wrangler', () => {
    expect(devArgs(env, ['--port', '9001', '--persist-to', 'x'])).toEqual({
      env: { PORT: '9001', HOST: '::1' },
      rest: ['--persist-to', 'x'],
    })
    expect(devArgs(env, ['--port=0', '--ip', '127.0.0.1', '--port', '9002'])).toEqual({
      env: { PORT: '9002', HOST: '127.0.0.1' },
      rest: [],
    })
    expect(devArgs(env, [])).toEqual({ env, rest: [] })
  })
  it.each([[['--port']], [['--port', '--ip']], [['--port=']], [['--port', '99999']], [['--port', 'x']]])(
    'says what is wrong with %j',
    (words) => {
      expect(() => devArgs(env, words)).toThrow(/^(Say --port with a value|--port must be a whole number)/)
    },
  )
})
