/** `npm run analytics`: what the archive has to tell, as tables; any view of the analysts' database by its name. */
import { Command, InvalidArgumentError } from 'commander'
import { bar, table } from '../../infra/terminal.ts'
import { runTool, type Tool, ToolError } from '../../infra/tool.ts'
import { Fault } from '../../schemas/ports.ts'
import { type Row, sections, tableOf } from './sections.ts'
import { analyticsDatabaseOf, analyticsViews } from './views.ts'

interface Flags {
  readonly days: number
  readonly view?: string
  readonly json: boolean
}

const ROWS_SHOWN_MAX = 40
const LIMITS = { rowsMax: 2_000_000_000, timeMsMax: 60_000 }

/** Those that take parameters are for SQL. */
const views = analyticsViews.filter(({ sql }) => !sql({ source: '', activity: '' }).includes('{'))
const names = [...new Set([...sections, ...views].map(({ name }) => name))]
const days = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1 || value > 3_660)
    throw new InvalidArgumentError('must be a number from 1 to 3660')
  return value
}

const command = new Command('analytics')
  .description(
    'Shows what the archive tells: messages, people, devices, how fast and how reliably messages arrive.',
  )
  .option('--days <n>', 'the last days, today among them', days, 7)
  .option('--view <name>', 'one section, or one view of the analysts’ database')
  .option('--json', 'rows as JSON instead of tables', false)
  .addHelpText('after', `\nSections and views: ${names.join(', ')}.`)

await runTool(command, async (tool) => {
  const flags = command.opts<Flags>()
  if (flags.view !== undefined && !names.includes(flags.view))
    throw new ToolError(`--view: there is no ${flags.view}; there are: ${names.join(', ')}`)
  const database = analyticsDatabaseOf(tool.config.clickhouseDatabase)
  const query = queryOn(tool, database)
  const wanted = sections.filter(({ name }) => flags.view === undefined || name === flags.view)
  const found: Record<string, readonly Row[]> = {}
  for (const section of wanted) {
    const rows = await query(section.sql(database), { days: flags.days })
    found[section.name] = rows
    if (flags.json) continue
    const { head, cells } = tableOf(section, rows, bar)
    console.log(`\n  ${section.title}\n${rows.length === 0 ? '  nothing' : table(head, cells)}`)
  }
  if (wanted.length === 0 && flags.view !== undefined) {
    const rows = await query(`SELECT * FROM ${database}.${flags.view} LIMIT ${ROWS_SHOWN_MAX}`, {})
    found[flags.view] = rows
    if (!flags.json) console.log(rows.length === 0 ? '\n  nothing' : `\n${plain(rows)}`)
  }
  console.log(flags.json ? JSON.stringify(found, null, 2) : '')
  return 0
})

function queryOn(tool: Tool, database: string) {
  const clickhouse = tool.clickhouse()
  return async (sql: string, params: Record<string, unknown>): Promise<Row[]> => {
    try {
      return await clickhouse.query<Row>(sql, params, LIMITS)
    } catch (err) {
      if (err instanceof Fault && /ClickHouse (81|60) /.test(err.message))
        throw new ToolError(
          `${database} has no such view: the projections make them when they start; are they running?`,
        )
      throw err
    }
  }
}

function plain(rows: readonly Row[]): string {
  const head = Object.keys(rows[0] ?? {})
  return table(
    head,
    rows.map((row) => head.map((key) => (row[key] === null ? '–' : String(row[key])))),
  )
}
