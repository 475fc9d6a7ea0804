import { describe, expect, it } from 'vitest'
import { watchEnvironment } from '../../../src/runtime/misspelt.ts'
import { refuse } from '../../../src/runtime/open-app.ts'
import { readEach } from '../../../src/runtime/read-each.ts'
import { readConfig, readSettings } from '../../../src/runtime/settings.ts'

const AUTH_SECRET = 'x'.repeat(32)
const linesOf = (work: () => unknown): string[] => {
  try {
    work()
  } catch (error) {
    if (error instanceof TypeError) return error.message.split('\n')
  }
  return []
}

describe('settings that are wrong are said all at once, a line each', () => {
  const wrong = {
    AUTH_SECRET: 'short',
    AUTH_SCOPES_CLAIM: 'a..b',
    CORS_ORIGINS: '*.example',
    LIVE_SOCKETS_MAX: 'many',
    SCOPE_ROWS_MAX: '-1',
    LOG: 'loud',
    RETENTION: 'for ever',
    WEBHOOK_SECRETS: '{',
    WEBHOOK_ALLOW_PRIVATE: 'yes',
    WEBHOOK_ENDPOINTS: '[]',
  }

  it('wherever driftline runs', () => {
    const lines = linesOf(() => readSettings(wrong))
    const names = Object.keys(wrong).filter((name) => name !== 'WEBHOOK_ENDPOINTS')
    expect(lines.map((line) => line.match(/[A-Z]+(_[A-Z]+)+|LOG|RETENTION/)?.[0]).sort()).toEqual(names.sort())
  })

  it('and those of Node, the missing key among them', () => {
    const lines = linesOf(() =>
      readConfig({ PORT: 'x', HOST: '0.0.0.0', DATABASE_URL: 'mysql://a', KEEP_ALIVE_MS: '0' }),
    )
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(
      ['Set AUTH_SECRET', 'PORT must', 'DATABASE_URL must', 'KEEP_ALIVE_MS must'],
    ) // biome-ignore format: a list
  })

  it.each(Object.entries(wrong).filter(([name]) => name !== 'WEBHOOK_ENDPOINTS'))('one alone is its sentence: %s', (name, value) => {
    const lines = linesOf(() => readSettings({ AUTH_SECRET, [name]: value }))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain(name)
  }) // biome-ignore format: one line

  it('a worker answers with all of them as one text, without a value of theirs', async () => {
    const answer = refuse(new TypeError(linesOf(() => readSettings(wrong)).join('\n')))
    const { detail } = (await answer.json()) as { detail: string }
    expect(detail).toMatch(/^The server is not set up\. AUTH_SECRET has 5 bytes .*\. LOG must be one of .*\.$/)
    expect(detail).not.toMatch(/short|loud|\n/)
  })

  it('what is no wrong setting is thrown as it is', () => {
    const fault = new RangeError('a bug')
    expect(() =>
      readEach({
        one() {
          throw new TypeError('ONE is wrong')
        },
        two() {
          throw fault
        },
      }),
    ).toThrow(fault)
    expect(readEach({ one: () => 1, two: () => undefined })).toEqual({ one: 1, two: undefined })
    expect(readEach({})).toEqual({})
  })
})

describe('a variable that is one letter away from a setting is named', () => {
  const told = (given: Record<string, string>) => {
    const watched = watchEnvironment({ AUTH_SECRET, ...given })
    readConfig(watched.env)
    return watched.misspelt()
  }

  it.each([
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['CORS_ORIGINSS', 'CORS_ORIGINS'],
    ['CORS_0RIGINS', 'CORS_ORIGINS'],
    ['CORS_ORIGISN', 'CORS_ORIGINS'],
    ['cors_origins', 'CORS_ORIGINS'],
    ['ATABASE_URL', 'DATABASE_URL'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['SCOPE_ROW_MAX', 'SCOPE_ROWS_MAX'],
  ])('%s for %s', (name, setting) => {
    expect(told({ [name]: '1' })).toEqual([`${name} is no setting: ${setting} is.`])
  })

  it('but none that is further away, short, a setting itself, or beside the setting', () => {
    const others = { PATH: '/bin', HOSTS: 'x', POST: 'x', LOGS: 'x', DATABASE: 'x', CORS_ORIGIN_LIST: 'x', '': 'x' }
    expect(told({ ...others, CORS_HEADERS: 'X-A', LOG: 'off' })).toEqual([])
    expect(told({ OAUTH_SECRET: 'of something else' })).toEqual([])
  })
})
