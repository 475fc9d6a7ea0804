/** Lines are written together that come within so many milliseconds. */
const gatherMs = 10

/**
 * Writes lines to the standard output, many by one call of the system: where it is a pipe each such
 * call takes longer than a request takes to be read. What is left is written when the process ends.
 */
export function createLineWriter(
  write: (text: string) => void = (text) => void process.stdout.write(text),
): (line: string) => void {
  let gathered = ''
  const flush = () => {
    const text = gathered
    gathered = ''
    if (text !== '') write(text)
  }
  process.on('exit', flush)
  return (line) => {
    // It keeps no process.
    if (gathered === '') setTimeout(flush, gatherMs).unref()
    gathered += `${line}\n`
  }
}
