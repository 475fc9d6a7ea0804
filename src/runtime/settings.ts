import { readHeaderNames } from '../http/cross-origin.ts'
import { readOrigins } from '../http/origins.ts'
import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import { type LogMode, logModes } from '../observe/log.ts'
import { parseRetention, retentionMsDefault } from '../prune/retention.ts'
import { readDatabaseUrl } from '../stores/database-url.ts'
import { readWebhookSecrets } from '../webhooks/in/secrets.ts'
import type { WebhookSources } from '../webhooks/in/sources.ts'
import type { WebhookSecrets } from '../webhooks/in/verify.ts'
import { type Endpoint, readEndpoints } from '../webhooks/out/endpoints.ts'
import { type AuthSettings, readAuth } from './auth-settings.ts'
import type { Environment } from './environment.ts'
import { readEach } from './read-each.ts'

/** The settings of the server wherever it runs, checked. */
export interface Settings {
  readonly auth: AuthSettings
  readonly webhookSecrets: WebhookSecrets
  /** How far the time that a webhook was signed at may lie from now. */
  readonly webhookAgeMsMax: number
  readonly corsOrigins: readonly string[]
  readonly corsHeaders: readonly string[]
  readonly clockDriftMsMax: number
  /** How long tombstones are kept. */
  readonly retentionMs: number
  /** Sockets and event streams of one subject. */
  readonly liveSocketsMax: number
  /** How long the body of a request may stand still. */
  readonly bodyIdleMsMax: number
  /** Streams of one subject, and how long nobody may read one. */
  readonly streamsMax: number
  readonly streamIdleMsMax: number
  /**
   * Changes of one subject within a minute, and deletes of ids that were never seen within an hour.
   */
  readonly changesPerMinuteMax: number
  readonly unseenDeletesPerHourMax: number
  /** Rows that live in one scope, and their bytes. */
  readonly scopeRowsMax: number | undefined
  readonly scopeBytesMax: number | undefined
  readonly log: LogMode
  /** Outgoing webhooks. */
  readonly deliveries: readonly Endpoint[]
  /** Whether they may go to private and link-local addresses, and unencrypted. */
  readonly webhookAllowPrivate: boolean
}

/** The settings of the Node server, checked. */
export interface Config extends Settings {
  readonly host: string
  readonly port: number
  readonly databaseUrl: string
  readonly databaseAuthToken: string | undefined
  /** How long the head of a request may take, and how long an idle connection is kept. */
  readonly headersMsMax: number
  readonly keepAliveMs: number
  /**
   * True where no key is set: the server makes a secret of its own, and listens on this machine
   * only.
   */
  readonly development: boolean
}

/**
 * Reads the environment. Wrong and missing settings are one `TypeError`, with a line for each that
 * says what to do.
 */
export function readConfig<S extends Schema>(env: Environment, sources: WebhookSources<S> = {}): Config {
  const host = env.HOST || '127.0.0.1'
  const settings = readEach({
    ...settingReaders(env, sources),
    auth: () => checkKey(readAuth(env), env.NODE_ENV === 'production' || !isLoopback(host)),
    port: () => readInteger(env, 'PORT', 8787, 0, 65_535),
    databaseUrl: () => readDatabaseUrl(env),
    headersMsMax: () => readInteger(env, 'HEADERS_MS_MAX', limits.headersMsMax, 1, msMax),
    keepAliveMs: () => readInteger(env, 'KEEP_ALIVE_MS', limits.keepAliveMs, 1, msMax),
  })
  const development = !hasKey(settings)
  return {
    ...settings,
    host,
    databaseAuthToken: env.DATABASE_AUTH_TOKEN || undefined,
    development,
    // Whoever tries it out has the answers before them, and wants to see the token and the curl
    // lines.
    log: env.LOG || !development ? settings.log : 'errors',
  }
}

/** The part of `readConfig` that has nothing to do with a process or a machine. */
export function readSettings<S extends Schema>(env: Environment, sources: WebhookSources<S> = {}): Settings {
  return readEach(settingReaders(env, sources))
}

function settingReaders<S extends Schema>(env: Environment, sources: WebhookSources<S>) {
  const webhookAllowPrivate = () => readBoolean(env, 'WEBHOOK_ALLOW_PRIVATE')
  const integer = (name: string, fallback: number, least: number, most: number) => () =>
    readInteger(env, name, fallback, least, most)
  const optional = (name: string, least: number, most: number) => () =>
    env[name] ? readInteger(env, name, least, least, most) : undefined
  const { unseenDeletesPerHourMax } = limits
  return {
    auth: () => readAuth(env),
    webhookSecrets: () => readWebhookSecrets(env.WEBHOOK_SECRETS, sources),
    webhookAgeMsMax: integer('WEBHOOK_AGE_MS_MAX', limits.webhookAgeMsMax, 1_000, msMax),
    corsOrigins: () => readOrigins('CORS_ORIGINS', env.CORS_ORIGINS),
    corsHeaders: () => readHeaderNames('CORS_HEADERS', env.CORS_HEADERS),
    clockDriftMsMax: integer('CLOCK_DRIFT_MS_MAX', limits.clockDriftMsMax, 0, msMax),
    retentionMs: () => (env.RETENTION ? parseRetention('RETENTION', env.RETENTION) : retentionMsDefault),
    liveSocketsMax: integer('LIVE_SOCKETS_MAX', limits.liveSocketsMax, 1, 1_000_000),
    bodyIdleMsMax: integer('BODY_IDLE_MS_MAX', limits.bodyIdleMsMax, 1, msMax),
    streamsMax: integer('STREAMS_MAX', limits.streamsMax, 1, 1_000_000),
    streamIdleMsMax: integer('STREAM_IDLE_MS_MAX', limits.streamIdleMsMax, 1_000, msMax),
    changesPerMinuteMax: integer('CHANGES_PER_MINUTE_MAX', limits.changesPerMinuteMax, 1, 1_000_000_000),
    unseenDeletesPerHourMax: integer('UNSEEN_DELETES_PER_HOUR_MAX', unseenDeletesPerHourMax, 1, 1_000_000_000),
    scopeRowsMax: optional('SCOPE_ROWS_MAX', 1, 999_999_999_999),
    scopeBytesMax: optional('SCOPE_BYTES_MAX', 1, 999_999_999_999),
    log: () => readLog(env.LOG || 'json'),
    deliveries: () => readEndpoints(env.WEBHOOK_ENDPOINTS, webhookAllowPrivate()),
    webhookAllowPrivate,
  }
}

/** Without a key a server makes one of its own, on this machine alone. */
function checkKey(auth: AuthSettings, isNeeded: boolean): AuthSettings {
  if (!isNeeded || hasKey({ auth })) return auth
  throw new TypeError(
    'Set AUTH_SECRET (32 bytes or more, for example from `openssl rand -base64 48`) or AUTH_JWKS_URL: only on a loopback HOST and without NODE_ENV=production does driftline make a development secret of its own',
  )
}

/** Whether tokens can be verified at all. */
export function hasKey({ auth }: Pick<Settings, 'auth'>): boolean {
  return auth.secret !== undefined || auth.jwksUrl !== undefined
}

/** A day: timers take less than 25 of them. */
const msMax = 24 * 3_600_000

function readInteger(env: Environment, name: string, fallback: number, least: number, most: number): number {
  const text = env[name]
  if (text === undefined || text === '') return fallback
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) throw new TypeError(`${name} must be a whole number from ${least} to ${most}`)
  return value
}

function readBoolean(env: Environment, name: string): boolean {
  const text = env[name] || 'false'
  if (text !== 'true' && text !== 'false') throw new TypeError(`${name} must be true or false`)
  return text === 'true'
}

function readLog(text: string): LogMode {
  const mode = logModes.find((one) => one === text)
  if (!mode) throw new TypeError(`LOG must be one of ${logModes.join(', ')}`)
  return mode
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}
