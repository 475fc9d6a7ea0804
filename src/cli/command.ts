import { type ParseArgsConfig, parseArgs } from 'node:util'

type ParsedOptions = NonNullable<ParseArgsConfig['options']>
/** The options of a command line, each with what `--help` says of it. */
export type CommandOptions = { readonly [name: string]: ParsedOptions[string] & { readonly help: string } }

/** What `--help` says of a command beside its options. */
export interface CommandHelp {
  /** As it is called: `npx driftline prune`. */
  readonly name: string
  /**
   * What it does, in a sentence or two, and lines below the options where something is left to say.
   */
  readonly does: string
  readonly more?: string
}

/** Thrown where somebody asked for help: the text to show. */
class HelpAsked {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/**
 * Runs a command: what goes wrong is one sentence on standard error and exit code 1, not a stack.
 */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    if (error instanceof HelpAsked) {
      process.stdout.write(error.text)
      return
    }
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}

/**
 * The options of a command line. What it does not know is a `TypeError` that names those it does.
 */
export function readArgs<const Options extends CommandOptions>(help: CommandHelp, options: Options) {
  return readWords(help, options, []).values
}

/** The same of a command that also takes words beside its options, as many as have a name here. */
export function readWords<const Options extends CommandOptions>(
  help: CommandHelp,
  options: Options,
  names: readonly string[],
) {
  if (isHelpAsked()) throw new HelpAsked(helpText(help, options, names))
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: names.length > 0 })
    if (positionals.length > names.length) throw new TypeError('Too many arguments')
    return { values, words: positionals }
  } catch (error) {
    const [what] = String(error instanceof Error ? error.message : error).split('. ')
    const known = Object.entries(options).map(([name, { type }]) => `--${name}${type === 'string' ? ' …' : ''}`)
    throw new TypeError(
      `${what}. ${known.length > 0 ? `The options are ${known.join(', ')}` : 'There are no options'}${names.length > 0 ? `, then ${names.join(', ')}` : ''}.`,
    )
  }
}

/** Behind `--` stands what is no option. */
export function isHelpAsked(words: readonly string[] = process.argv.slice(2)): boolean {
  const end = words.indexOf('--')
  return words.slice(0, end === -1 ? undefined : end).some((word) => word === '--help' || word === '-h')
}

export function helpText({ name, does, more }: CommandHelp, options: CommandOptions, names: readonly string[]): string {
  const rows = [
    ...Object.entries(options).map(([option, { type, help, default: value, multiple }]) => [
      `--${option}${type === 'string' ? ' …' : ''}`,
      `${help}${value === undefined || typeof value === 'boolean' || value === '' ? '' : ` (${value})`}${multiple ? ', several times' : ''}`,
    ]),
    ['--help', 'this text'],
  ] as const
  const width = Math.max(...rows.map(([option]) => option.length))
  const lines = rows.map(([option, help]) => `  ${option.padEnd(width)}  ${help}`)
  const words = names.map((word) => ` <${word}>`).join('')
  return `${[`${name} [options]${words}`, '', does, '', ...lines, ...(more ? ['', more] : [])].join('\n')}\n`
}
