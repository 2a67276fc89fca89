/** `npm run replay -- live|archive`: rebuilds read models from the log beside those that are read; see `--help`. */
import { hostname } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Argument, Command } from 'commander'
import { createClickHouse } from '../../infra/clickhouse/client.ts'
import { migrateArchive } from '../../infra/clickhouse/migrate.ts'
import { databaseOf, optionsIn } from '../../infra/clickhouse/namespaces.ts'
import { silentLog } from '../../infra/log.ts'
import { openToolKeys } from '../../infra/read-stores.ts'
import { createProgress, grouped, table } from '../../infra/terminal.ts'
import { runTool, type Tool, ToolError } from '../../infra/tool.ts'
import { topics } from '../../schemas/topics.ts'
import { openRecords } from '../content-keys/open.ts'
import { followNamespaces, type NamespaceFollower } from '../namespaces/follower.ts'
import {
  isNamespaceName,
  ORIGINAL,
  type ProjectionName,
  projectionNames,
  shownAs,
} from '../namespaces/registry.ts'
import { openRegistry } from '../namespaces/writer.ts'
import { keepsAll } from '../reads/policy.ts'
import { archiveStage } from './archive-stage.ts'
import { liveStage } from './live-stage.ts'
import { comparisonLines, progressText, resultText, windowText } from './print.ts'
import { refusalIn } from './refusals.ts'
import { buildAside, buildNamespace, dropNamespace, type ReplayContext, switchTo } from './replay.ts'
import { type Comparison, differencesIn } from './report.ts'
import type { Stage } from './stage.ts'
import { type Bound, parseBound, type Window } from './window.ts'

interface Flags {
  readonly switch: boolean
  readonly switchAnyway?: true
  readonly back?: string | true
  readonly drop?: string
  readonly list?: true
  readonly from?: string
  readonly until?: string
  readonly shadow?: string
  readonly keep?: true
  readonly passUnknown?: true
}

const command = new Command('npm run replay --')
  .description(
    'Rebuilds a projection from the log into a namespace of its own while the one before it is read, compares the two, and switches. Interrupted, the same command goes on.',
  )
  .addArgument(new Argument('[projection]', 'what to rebuild').choices(projectionNames))
  .option('--no-switch', 'build and compare only')
  .option('--switch-anyway', 'switch although there are differences')
  .option('--back [name]', 'read from the namespace that was read before, or from the one named')
  .option('--drop <name>', 'destroy a namespace that is not read')
  .option('--list', 'the namespaces there are')
  .option('--from <time or offset>', 'a part of the log only, for looking at; never switched to')
  .option('--until <time or offset>', 'the same, this time or offset not included')
  .option(
    '--shadow <module>',
    'build with the projections that this module exports, and tell what is different',
  )
  .option('--keep', 'keep what --shadow has built')
  .option('--pass-unknown', 'go on at records in schemas that this release does not know')

await runTool(command, async (tool) => {
  const flags = command.opts<Flags>()
  const [name] = command.args
  const wanted = projectionNames.find((one) => one === name)
  if (wanted === undefined && flags.list !== true)
    throw new ToolError(`which projection? There are ${projectionNames.join(', ')}`)
  const window = windowOf(flags, tool.clock.now())
  const store = (of: string) => tool.store(of)
  const follower = await followNamespaces({
    ...{ store: store('namespaces'), clock: tool.clock, logger: silentLog },
    // What it knew goes on to hold; what matters is read back from the log by whoever writes.
    failed() {},
  })
  tool.atEnd(() => follower.stop())
  if (flags.list) {
    for (const one of wanted ? [wanted] : projectionNames) await list(tool, follower, stageOf(tool, one))
    return 0
  }
  const stage = stageOf(tool, wanted as ProjectionName)
  const replaced = flags.shadow === undefined ? null : await loadShadow(flags.shadow, stage)
  const registry = await openRegistry({
    ...{ store: store('registry'), follower, clock: tool.clock },
    by: `process ${process.pid} on ${hostname()}`,
  })
  tool.atEnd(() => registry.close())
  const lease = await registry
    .lease(stage.projection, `a replay of ${stage.projection}`)
    .catch((err: unknown) => {
      throw explained(err)
    })
  tool.atEnd(() => lease.release())
  const progress = createProgress(process.stdout)
  const text = progressText(tool.clock.now)
  const context: ReplayContext = {
    ...{ stage, store, registry, follower, lease },
    partitions: tool.config.partitions,
    ...{ clock: tool.clock, logger: silentLog, signal: tool.signal },
    passUnknown: flags.passUnknown === true,
    open: openRecords((await openToolKeys(tool)).opener),
    onProgress: (now) => progress.show(text(now)),
  }
  try {
    if (flags.drop !== undefined) return await drop(context, nameOf(flags.drop, stage, follower, true))
    if (flags.back !== undefined) return await back(context, flags.back)
    if (window || replaced) return await aside(context, progress, { window, replaced, flags })
    return await replay(context, progress, flags)
  } catch (err) {
    progress.done()
    throw explained(err)
  }
})

async function replay(context: ReplayContext, progress: Progress, flags: Flags): Promise<number> {
  const { stage, follower } = context
  const { active } = follower.of(stage.projection)
  const { namespace, result } = await buildNamespace(context)
  progress.done(result ? resultText(result) : `  ${namespace} was built before`)
  const comparison = await stage.compare(active, namespace, (now) => progress.show(`  comparing: ${now}`))
  progress.done()
  print(comparison, stage)
  const isEqual = differencesIn(comparison) === 0
  if (!flags.switch || (!isEqual && !flags.switchAnyway)) {
    const why = flags.switch ? 'not switched, as they differ' : 'not switched'
    console.log(
      `  ${why}: ${shownAs(active)} is read on; ${namespace} (${stage.whereIs(namespace)}) is kept up`,
    )
    const then = isEqual
      ? `run it again without --no-switch`
      : `run it again to compare again, with --switch-anyway to read from ${namespace}, or with --drop ${namespace}`
    console.log(`  ${then}`)
    return isEqual ? 0 : 1
  }
  await switchTo(context, namespace)
  console.log(`  switched: ${stage.projection} is read from ${namespace} (${stage.whereIs(namespace)})`)
  console.log(
    `  ${shownAs(active)} is kept up: --back reads from it again, --drop ${shownAs(active)} destroys it`,
  )
  return 0
}

type Progress = ReturnType<typeof createProgress>

async function aside(
  context: ReplayContext,
  progress: Progress,
  of: { readonly window: Window | null; readonly replaced: Replaced | null; readonly flags: Flags },
): Promise<number> {
  const { window, replaced, flags } = of
  const { stage } = context
  const note = [window && windowText(window), replaced && `shadow ${replaced.text}`]
    .filter(Boolean)
    .join(', ')
  const { namespace, result, comparison } = await buildAside(context, {
    note,
    ...(window ? { window } : {}),
    ...(replaced ? { replaced: replaced.projections } : {}),
    ...(replaced && !window ? { compare: (now: string) => progress.show(`  comparing: ${now}`) } : {}),
  })
  progress.done(resultText(result))
  if (comparison) print(comparison, stage)
  if (replaced && flags.keep !== true) {
    await dropNamespace(context, namespace)
    console.log('  what it built is destroyed again; --keep keeps it')
  } else {
    console.log(`  look at it in ${stage.whereIs(namespace)}; it is not kept up and never switched to`)
    console.log(`  when done: npm run replay -- ${stage.projection} --drop ${namespace}`)
  }
  return comparison && differencesIn(comparison) > 0 ? 1 : 0
}

async function back(context: ReplayContext, name: string | true): Promise<number> {
  const { stage, follower } = context
  const list = follower.of(stage.projection)
  const before = list.namespaces
    .filter(({ state }) => state === 'retired')
    .toSorted((a, b) => b.since - a.since)[0]
  if (name === true && !before)
    throw new ToolError(`nothing was read before ${shownAs(list.active)}, or it was dropped`)
  const to = name === true ? (before?.name ?? '') : nameOf(name, stage, follower, false)
  await switchTo(context, to)
  console.log(`  switched: ${stage.projection} is read from ${shownAs(to)} (${stage.whereIs(to)})`)
  return 0
}

async function drop(context: ReplayContext, name: string): Promise<number> {
  await dropNamespace(context, name)
  console.log(`  ${shownAs(name)} of ${context.stage.projection} is gone`)
  return 0
}

async function list(tool: Tool, follower: NamespaceFollower, stage: Stage): Promise<void> {
  const { active, namespaces } = follower.of(stage.projection)
  const admin = await tool.store('ranges').admin()
  tool.atEnd(() => admin.close())
  let end = 0
  for (let partition = 0; partition < tool.config.partitions; partition++)
    end += (await admin.range(topics.events, partition)).end
  const rows: (string | number)[][] = []
  for (const { name, state, since, note } of namespaces) {
    const at = await stage.positions(name).catch(() => new Map<number, number>())
    const read = [...at.values()].reduce((sum, offset) => sum + offset, 0)
    const stands = name === active ? 'read' : state
    rows.push([
      shownAs(name),
      stands,
      grouped(Math.max(0, end - read)),
      since === 0 ? '' : new Date(since).toISOString().slice(0, 19),
      note || stage.whereIs(name),
    ])
  }
  console.log(
    `\n${stage.projection}\n${table(['namespace', 'state', 'records behind', 'since', 'what'], rows)}`,
  )
}

function print(comparison: Comparison, { projection }: Stage): void {
  for (const line of comparisonLines(comparison, projection === 'live' ? 'keys' : 'rows')) console.log(line)
}

function stageOf(tool: Tool, projection: ProjectionName): Stage {
  const { clock, config, signal, clickHouseOptions: options } = tool
  const policies = { p2p: config.storeP2p, group: config.storeGroup }
  const common = { generation: config.generation, clock, logger: silentLog, signal }
  if (projection === 'live') return liveStage({ ...common, redis: tool.redis('replay'), policies })
  return archiveStage({
    ...common,
    open: (namespace) => createClickHouse(optionsIn(options, namespace)),
    databaseOf: (namespace) => databaseOf(options.database, namespace),
    migrate: (namespace) => migrateArchive(options, silentLog, namespace),
    withoutContents: !keepsAll(policies),
  })
}

interface Replaced {
  readonly text: string
  readonly projections: Readonly<Record<string, unknown>>
}

/** What a module exports of the projections that a stage knows. */
async function loadShadow(module: string, { projection, replaceable }: Stage): Promise<Replaced> {
  const file = path.resolve(module)
  const exported = (await import(pathToFileURL(file).href).catch((cause: Error) => {
    throw new ToolError(`${module} could not be loaded: ${cause.message}`)
  })) as Record<string, { project?: unknown } | undefined>
  const found = replaceable.filter((one) => typeof exported[one]?.project === 'function')
  if (found.length === 0)
    throw new ToolError(
      `${module} exports none of ${replaceable.join(', ')}, each { project(record) }, as ${projection} is made of`,
    )
  return {
    text: `${module} (${found.join(', ')})`,
    projections: Object.fromEntries(found.map((one) => [one, exported[one]])),
  }
}

function windowOf({ from, until }: Flags, now: number): Window | null {
  if (from === undefined && until === undefined) return null
  const bound = (flag: string, text: string | undefined): Bound | null => {
    if (text === undefined) return null
    const parsed = parseBound(text)
    if (!parsed)
      throw new ToolError(
        `${flag} ${text}: a time as 2026-01-31T12:00:00Z (UTC without a zone), or an offset`,
      )
    return parsed
  }
  const window = { from: bound('--from', from), until: bound('--until', until) }
  if (window.from?.by === 'time' && window.from.ms > now) throw new ToolError(`--from ${from} is yet to come`)
  const [a, b] = [window.from, window.until]
  const isEmpty =
    (a?.by === 'time' && b?.by === 'time' && a.ms >= b.ms) ||
    (a?.by === 'offset' && b?.by === 'offset' && a.offset >= b.offset)
  if (isEmpty) throw new ToolError(`there is nothing from ${from} until ${until}`)
  return window
}

function nameOf(text: string, { projection }: Stage, follower: NamespaceFollower, gone: boolean): string {
  const name = text === ORIGINAL ? '' : text
  const { active, namespaces } = follower.of(projection)
  if (gone && name === active)
    throw new ToolError(`${text} is the one that is read: --back, or a replay, reads from another first`)
  // What an interrupted --drop has left is in no list any more.
  if (
    namespaces.some((one) => one.name === name) ||
    (gone && isNamespaceName(name) && /^[ar]\w{10,12}$/.test(name))
  )
    return name
  throw new ToolError(
    `${projection} has no namespace '${text}'; there are ${namespaces.map((one) => shownAs(one.name)).join(', ')}`,
  )
}

function explained(err: unknown): unknown {
  const refusal = refusalIn(err)
  return refusal === null ? err : new ToolError(refusal)
}
