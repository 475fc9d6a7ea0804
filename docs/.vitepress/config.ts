import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitepress'
import { adapt } from './markdown.ts'

/** The pages in the order of the manual's index, which stands in README.md. */
const index = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const pages = [...index.matchAll(/^\| \[([^\]]+)\]\(([\w-]+)\.md\) \|/gm)].map(([, text = '', page = '']) => ({
  text,
  link: `/${page}`,
}))

/** The manual as pages to read: `npm run docs` builds them, `npx vitepress dev docs` shows them while one writes. */
export default defineConfig({
  title: 'driftline',
  description: 'A sync backend for offline-first apps over your own database.',
  lang: 'en',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  base: '/docs/',
  cleanUrls: true,
  // A script of its own, where it would stand in each page: the pages run none of those.
  metaChunk: true,
  rewrites: { 'README.md': 'index.md' },
  markdown: { config: adapt },
  themeConfig: {
    nav: [{ text: 'API reference', link: '../reference', target: '_self' }],
    sidebar: pages,
    outline: [2, 3],
    search: { provider: 'local' },
    docFooter: { prev: 'Before', next: 'Next' },
  },
})
