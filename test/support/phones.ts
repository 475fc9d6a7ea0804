import { readFileSync } from 'node:fs'

/** One change that reaches the server, and what comes of it: a line of a table in the manual. */
export interface Step {
  readonly who: 'A' | 'B'
  readonly op: string
  readonly row: Readonly<Record<string, unknown>>
  readonly at: string
  /** The stamp that it asks for. */
  readonly seen?: { readonly at: string; readonly by: 'A' | 'B' }
  readonly create: boolean
  readonly verdict: string
  /** The row after it. Undefined: there is none. */
  readonly left?: Readonly<Record<string, unknown>>
}

/** What two phones do to one row of a table. */
export interface Example {
  /** What it shows, in a line of its own: `Lost: …` or `Kept: …`. */
  readonly told: string
  /** The table as it is declared, `name: { … }`. */
  readonly declared: string
  readonly steps: readonly Step[]
}

/** The examples of docs/conflicts.md, by the picture that stands above them, or by their heading. */
export function readExamples(): ReadonlyMap<string, readonly Example[]> {
  const examples = new Map<string, Example[]>()
  const page = readFileSync(new URL('../../docs/conflicts.md', import.meta.url), 'utf8')
  for (const section of page.split(/^##+ /m)) {
    const [, picture] = /\]\((conflicts-[\w-]+\.svg)\)/.exec(section) ?? []
    const tables = [
      ...section.matchAll(/(?:^((?:Lost|Kept): .*)\n\n)?^\| `(\w+: [^|]+)` \|.*\n\|[-|]+\n((?:\|.*\n)+)/gm),
    ]
    if (tables.length === 0) continue
    const read = tables.map(
      ([, told = '', declared = '', lines = '']): Example => ({
        told,
        declared,
        steps: lines.trim().split('\n').map(readStep),
      }),
    )
    examples.set(picture ?? (section.split('\n')[0] as string), read)
  }
  return examples
}

const line =
  /^\| (A|B) \| (put|patch|delete) `(\{.*\})`(?: if (\S+) by (A|B))?( create)? \| (\S+) \| (\w+) \| (?:`(\{.*\})` )?\|$/

function readStep(text: string): Step {
  const [, who, op = '', row = '', seenAt, seenBy, create, at = '', verdict = '', left] = line.exec(text) ?? []
  if (!who) throw new TypeError(`This line of docs/conflicts.md is no step: ${text}`)
  return {
    ...{ who: who as Step['who'], op, row: JSON.parse(row), at, verdict, create: create !== undefined },
    ...(seenAt && { seen: { at: seenAt, by: seenBy as Step['who'] } }),
    ...(left && { left: JSON.parse(left) }),
  }
}

const [width, laneA, laneServer, laneB] = [640, 70, 320, 570]
const [headHeight, stepHeight, footHeight, gap] = [88, 46, 40, 20]

/** Two phones and the server between them, from top to bottom in the order of what arrives. */
export function drawPhones(title: string, examples: readonly Example[]): string {
  const heights = examples.map(({ steps }) => headHeight + steps.length * stepHeight + footHeight)
  const height = heights.reduce((sum, one) => sum + one + gap, gap)
  let y = gap
  const panels = examples.map((example, place) => {
    const panel = drawPanel(example, y, heights[place] as number)
    y += (heights[place] as number) + gap
    return panel
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${style}</style>`,
    `<rect width="${width}" height="${height}" class="page"/>`,
    ...panels,
    '</svg>\n',
  ].join('\n')
}

const style = [
  '.page{fill:#fff}.panel{fill:#f8fafc;stroke:#cbd5e1}.text{fill:#1e293b}.soft{fill:#64748b}.lane{stroke:#cbd5e1}',
  '.phone{fill:#fff;stroke:#475569}.ink{fill:#475569}.box{fill:#e2e8f0}.good{fill:#15803d}.bad{fill:#b91c1c}.again{fill:#64748b}',
  '.way{stroke:#475569}.code{font-family:ui-monospace,monospace;font-size:12px}',
  '@media (prefers-color-scheme:dark){.page{fill:#1b1b1f}.panel{fill:#25262c;stroke:#3f4450}.text{fill:#e2e8f0}.soft,.again{fill:#94a3b8}',
  '.lane{stroke:#3f4450}.phone{fill:#1b1b1f;stroke:#94a3b8}.ink{fill:#94a3b8}.box{fill:#374151}.good{fill:#4ade80}.bad{fill:#f87171}.way{stroke:#94a3b8}}',
].join('')

function drawPanel({ told, declared, steps }: Example, top: number, height: number): string {
  const lanesTop = top + headHeight - 8
  const bottom = top + height - footHeight + 4
  const lanes = [laneA, laneServer, laneB].map(
    (x) => `<line x1="${x}" x2="${x}" y1="${lanesTop}" y2="${bottom}" class="lane" stroke-dasharray="3 4"/>`,
  )
  return [
    `<rect x="10" y="${top}" width="${width - 20}" height="${height}" rx="10" class="panel"/>`,
    `<text x="${width / 2}" y="${top + 22}" text-anchor="middle" class="text code">${escapeXml(declared)}</text>`,
    phone(laneA, top + 36, 'A'),
    phone(laneB, top + 36, 'B'),
    `<rect x="${laneServer - 38}" y="${top + 44}" width="76" height="24" rx="5" class="box"/>`,
    `<text x="${laneServer}" y="${top + 60}" text-anchor="middle" class="text">server</text>`,
    ...lanes,
    `<text x="${width / 2}" y="${top + height - 14}" text-anchor="middle" class="${told.startsWith('Lost') ? 'bad' : 'good'}" font-weight="600">${escapeXml(told)}</text>`,
    ...steps.map((step, place) => drawStep(step, lanesTop + 22 + place * stepHeight)),
  ].join('\n')
}

const phone = (x: number, y: number, name: string) =>
  `<rect x="${x - 13}" y="${y}" width="26" height="40" rx="5" class="phone" stroke-width="1.5"/><circle cx="${x}" cy="${y + 34}" r="2" class="ink"/><text x="${x}" y="${y + 21}" text-anchor="middle" class="text" font-weight="600">${name}</text>`

const marks: Readonly<Record<string, readonly [sign: string, kind: string]>> = {
  applied: ['✓', 'good'],
  duplicate: ['=', 'again'],
}

function drawStep({ who, op, row, at, seen, verdict, left }: Step, y: number): string {
  const [from, to, middle] = who === 'A' ? [laneA, laneServer - 44, 178] : [laneB, laneServer + 44, 462]
  const [sign, kind] = marks[verdict] ?? ['✗', 'bad']
  const tip =
    who === 'A'
      ? `${to - 6},${y - 4} ${to},${y} ${to - 6},${y + 4}`
      : `${to + 6},${y - 4} ${to},${y} ${to + 6},${y + 4}`
  const values = Object.values(left ?? {}).map(show)
  const sent = `${at} ${op === 'patch' ? brief(row) : 'new row'}${seen ? `, if ${seen.at}` : ''}`
  return [
    `<line x1="${from}" x2="${to}" y1="${y}" y2="${y}" class="way"/><polyline points="${tip}" class="way" fill="none"/>`,
    `<text x="${middle}" y="${y - 6}" text-anchor="middle" class="text code">${escapeXml(sent)}</text>`,
    `<text x="${middle}" y="${y + 15}" text-anchor="middle" class="${kind}">${sign} ${verdict}</text>`,
    ...(left
      ? [
          `<rect x="${laneServer - 42}" y="${y - 16}" width="84" height="${values.length * 15 + 4}" rx="4" class="box"/>`,
          ...values.map(
            (value, n) =>
              `<text x="${laneServer}" y="${y - 3 + n * 15}" text-anchor="middle" class="text code">${escapeXml(value)}</text>`,
          ),
        ]
      : []),
  ].join('\n')
}

const show = (value: unknown) => (typeof value === 'string' ? value : value === null ? '–' : JSON.stringify(value))

/** What a patch sends, in few words: `stock +1`, `stock = 20`, `best: 90`. */
function brief(row: Step['row']): string {
  return Object.entries(row)
    .map(([name, value]) => {
      const { add, set } = Object(value) as { add?: number; set?: number }
      if (add !== undefined) return `${name} ${add < 0 ? '−' : '+'}${Math.abs(add)}`
      return set === undefined ? `${name}: ${show(value)}` : `${name} = ${set}`
    })
    .join(', ')
}

const escapeXml = (text: string) => text.replace(/[&<>]/g, (one) => ({ '&': '&amp;', '<': '&lt;' })[one] ?? '&gt;')
