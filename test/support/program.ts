import { spawn } from 'node:child_process'

/**
 * Starts Node with these words in a folder, and waits for what it prints. Throws where it ends
 * before.
 */
export async function startProgram(
  cwd: string,
  args: readonly string[],
  until: RegExp,
): Promise<{ found: RegExpExecArray; stop: () => void }> {
  const { AUTH_SECRET: _, DATABASE_URL: __, ...env } = process.env
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const found = await new Promise<RegExpExecArray>((resolve, reject) => {
    const take = (text: Buffer) => {
      output += text
      const match = until.exec(output)
      if (match) resolve(match)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('exit', () => reject(new Error(`It ended: ${output}`)))
  })
  return { found, stop: () => void child.kill() }
}
