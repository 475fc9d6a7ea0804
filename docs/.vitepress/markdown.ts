import type { MarkdownRenderer } from 'vitepress'

/** What the pages read otherwise than a Git host does. */
export function adapt(md: MarkdownRenderer): void {
  md.core.ruler.push('driftline', ({ tokens }) => {
    for (const token of tokens) {
      if (token.type === 'code_block') {
        token.type = 'fence'
        token.info = guessLanguage(token.content)
      }
      // A file of the repository is no page: its name stays.
      let isOutside = false
      token.children = (token.children ?? []).filter((child) => {
        if (child.type === 'link_open') isOutside = child.attrGet('href')?.startsWith('../') === true
        return !(isOutside && /^link_(open|close)$/.test(child.type))
      })
    }
  })
}

/**
 * The language of a block of code. The manual names none, so that it reads well as plain text: it
 * is told by how the block begins.
 */
export function guessLanguage(code: string): string {
  if (/^(import|export|const|let|lastStamp|shop:|\/\/) /.test(code)) return 'ts'
  if (/^(SELECT|UPDATE|CREATE|INSERT|ALTER|select|create|--) ?/.test(code)) return 'sql'
  if (/^([A-Z_]+=|(npx|npm|curl|node|openssl|bunx|deno) )/.test(code)) return 'sh'
  if (/^\s*[[{]/m.test(code)) return 'json'
  return 'txt'
}
