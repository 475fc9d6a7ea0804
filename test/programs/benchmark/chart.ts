import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** What a row cost, in microseconds, where so many were imported. */
export interface Point {
  readonly name: string
  readonly rows: number
  readonly micros: number
}

const file = new URL('../../../docs/import-cost.svg', import.meta.url)
const [width, height, left, bottom, top] = [640, 300, 60, 250, 30]
const colors = ['#2563eb', '#c2410c', '#15803d']

/**
 * Draws the cost of a row by the number of rows, which docs/bulk.md shows: flat lines are what one
 * wants to see.
 */
export async function writeChart(points: readonly Point[]): Promise<void> {
  const names = [...new Set(points.map(({ name }) => name))]
  const sizes = [...new Set(points.map(({ rows }) => rows))].sort((a, b) => a - b)
  const most = Math.ceil(Math.max(...points.map(({ micros }) => micros)) / 5) * 5 + 5
  const x = (rows: number) => left + 60 + (sizes.indexOf(rows) * (width - left - 120)) / Math.max(1, sizes.length - 1)
  const y = (micros: number) => bottom - (micros / most) * (bottom - top)
  const text = (at: [number, number], words: string, more = '') =>
    `<text x="${at[0].toFixed(0)}" y="${at[1].toFixed(0)}" ${more}>${words}</text>`
  const grid = Array.from({ length: Math.floor(most / 5) + 1 }, (_, n) => n * 5).map(
    (micros) =>
      `<line x1="${left}" x2="${width - 20}" y1="${y(micros)}" y2="${y(micros)}" stroke="#d4d4d8"/>` +
      text([left - 8, y(micros) + 4], String(micros), 'text-anchor="end"'),
  )
  const lines = names.map((name, place) => {
    const own = points.filter((point) => point.name === name).sort((a, b) => a.rows - b.rows)
    const color = colors[place % colors.length] ?? ''
    const path = own.map(({ rows, micros }) => `${x(rows).toFixed(1)},${y(micros).toFixed(1)}`).join(' ')
    const marks = own.map(
      ({ rows, micros }) =>
        `<circle cx="${x(rows).toFixed(1)}" cy="${y(micros).toFixed(1)}" r="4" fill="${color}"/>` +
        text([x(rows), y(micros) - 9], micros.toFixed(1), `text-anchor="middle" fill="${color}"`),
    )
    const label = text([left + 10 + place * 120, height - 8], name, `fill="${color}" font-weight="bold"`)
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>${marks.join('')}${label}`
  })
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#3f3f46">
<title>Cost of an imported row by the number of rows</title>
<rect width="${width}" height="${height}" fill="#ffffff"/>
${text([left, 18], 'Microseconds for each imported row, by the number of rows')}
${grid.join('\n')}
${sizes.map((rows) => text([x(rows), bottom + 18], rows.toLocaleString('en'), 'text-anchor="middle"')).join('\n')}
${lines.join('\n')}
</svg>
`
  await writeFile(file, svg)
  console.log(`The chart is in ${fileURLToPath(file).split('/').slice(-2).join('/')}`)
}
