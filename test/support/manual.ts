import { readdirSync, readFileSync } from 'node:fs'
import { guessLanguage } from '../../docs/.vitepress/markdown.ts'

/** An indented block of the manual: commands of a shell, an answer, or code. */
export interface Block {
  readonly page: string
  /** The heading that it stands under. */
  readonly heading: string
  readonly kind: 'commands' | 'answer' | 'code'
  readonly text: string
}

const pages = ['README.md', ...readdirSync('docs').flatMap((name) => (name.endsWith('.md') ? `docs/${name}` : []))]

/** All blocks of the front door and the manual. */
export const blocks: readonly Block[] = pages.flatMap((page) => {
  let heading = ''
  const found: Block[] = []
  let lines: string[] = []
  let isBlank = false
  for (const line of [...readFileSync(page, 'utf8').split('\n'), '']) {
    if (/^ {4}/.test(line) && (lines.length > 0 || isBlank)) lines.push(line)
    else if (lines.length > 0) {
      const indent = Math.min(...lines.map((one) => /^ */.exec(one)?.[0].length ?? 0))
      const text = lines.map((one) => one.slice(indent)).join('\n')
      found.push({ page, heading, kind: kindOf(text), text })
      lines = []
    }
    if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
    isBlank = line.trim() === ''
  }
  return found
})

function kindOf(text: string): Block['kind'] {
  const language = guessLanguage(text)
  if (language === 'sh') return 'commands'
  return language === 'json' || language === 'txt' ? 'answer' : 'code'
}

/** The commands of a block: a line each, unless it ends with \ or within quotes. Without remarks. */
export function commandsOf({ text }: Block): string[] {
  const commands: string[] = []
  let open = ''
  for (const line of text.split('\n')) {
    open += open === '' ? line : `\n${line}`
    if (line.endsWith('\\') || (open.match(/'/g)?.length ?? 0) % 2 === 1) continue
    commands.push(open.replace(/ {2,}#.*$/, '').trim())
    open = ''
  }
  return commands
}
