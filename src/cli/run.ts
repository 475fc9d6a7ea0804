import { type ParseArgsConfig, parseArgs } from 'node:util'

/** Runs a command: what goes wrong is one sentence on standard error and exit code 1, not a stack. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}

/** The options of a command line. What it does not know is a `TypeError` that names those it does. */
export function readArgs<const Options extends NonNullable<ParseArgsConfig['options']>>(options: Options) {
  return readWords(options, []).values
}

/** The same of a command that also takes words beside its options, as many as have a name here. */
export function readWords<const Options extends NonNullable<ParseArgsConfig['options']>>(
  options: Options,
  names: readonly string[],
) {
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
