import { writeFile } from 'node:fs/promises'

/** What something cost where there were so many rows. */
export interface Point {
  readonly name: string
  readonly rows: number
  readonly value: number
}

export interface Chart {
  /** Its file in docs/. */
  readonly file: string
  readonly title: string
}

const docs = new URL('../../../docs/', import.meta.url)
const [width, left, bottom, top] = [640, 60, 250, 30]
const colors = ['#2563eb', '#c2410c', '#15803d', '#7c3aed', '#0891b2', '#be185d', '#a16207', '#475569']
const labelsInLine = 2

/**
 * Draws costs by the number of rows, which a page of the manual shows: flat lines are what one wants
 * to see.
 */
export async function writeChart(points: readonly Point[], { file, title }: Chart): Promise<void> {
  const names = [...new Set(points.map(({ name }) => name))]
  const sizes = [...new Set(points.map(({ rows }) => rows))].sort((a, b) => a - b)
  const step = stepOf(Math.max(...points.map(({ value }) => value)))
  const most = Math.ceil(Math.max(...points.map(({ value }) => value)) / step) * step + step
  const height = bottom + 30 + 18 * Math.ceil(names.length / labelsInLine)
  const x = (rows: number) => left + 60 + (sizes.indexOf(rows) * (width - left - 120)) / Math.max(1, sizes.length - 1)
  const y = (value: number) => bottom - (value / most) * (bottom - top)
  const text = (at: [number, number], words: string, more = '') =>
    `<text x="${at[0].toFixed(0)}" y="${at[1].toFixed(0)}" ${more}>${words}</text>`
  const grid = Array.from({ length: Math.round(most / step) + 1 }, (_, n) => n * step).map(
    (value) =>
      `<line x1="${left}" x2="${width - 20}" y1="${y(value)}" y2="${y(value)}" stroke="#d4d4d8"/>` +
      text([left - 8, y(value) + 4], String(Number(value.toPrecision(6))), 'text-anchor="end"'),
  )
  const lines = names.map((name, place) => {
    const own = points.filter((point) => point.name === name).sort((a, b) => a.rows - b.rows)
    const color = colors[place % colors.length] ?? ''
    const path = own.map(({ rows, value }) => `${x(rows).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
    const marks = own.map(
      ({ rows, value }) =>
        `<circle cx="${x(rows).toFixed(1)}" cy="${y(value).toFixed(1)}" r="4" fill="${color}"/>` +
        text([x(rows), y(value) - 9], value.toFixed(1), `text-anchor="middle" fill="${color}"`),
    )
    const label = text(
      [left + 10 + (place % labelsInLine) * 280, bottom + 38 + 18 * Math.floor(place / labelsInLine)],
      name,
      `fill="${color}" font-weight="bold"`,
    )
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${marks.join('')}${label}`
  })
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#3f3f46">
<title>${title}</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${text([left, 18], title)}
${grid.join('\n')}
${sizes.map((rows) => text([x(rows), bottom + 18], rows.toLocaleString('en'), 'text-anchor="middle"')).join('\n')}
${lines.join('\n')}
</svg>
`
  await writeFile(new URL(file, docs), svg)
  console.log(`The chart is in docs/${file}`)
}

/** A round number, of which some ten make the largest value. */
function stepOf(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 4))
  return [1, 2, 5, 10].map((one) => one * power).find((one) => most / one <= 8) ?? 10 * power
}
