/** What a command reads of the read models: those that serve at the moment, or the namespaces that it was told. */
import { learnArchivedSchemas } from '../projections/archive/schemas.ts'
import { followNamespaces, type Namespaces } from '../projections/namespaces/follower.ts'
import { inActive, inNamespace } from '../projections/namespaces/redis.ts'
import { type ProjectionName, shownAs } from '../projections/namespaces/registry.ts'
import type { ArchivePort, RedisPort } from '../projections/ports.ts'
import { createClickHouse } from './clickhouse/client.ts'
import { activeArchive, optionsIn } from './clickhouse/namespaces.ts'
import { type OpenKeys, openContentKeys } from './keys-secret.ts'
import { silentLog } from './log.ts'
import { type Tool, ToolError } from './tool.ts'

export interface ReadStores {
  readonly namespaces: Namespaces
  redis(): Promise<RedisPort>
  readonly clickhouse: Pick<ArchivePort, 'query'>
  /** Logins and the delivery ledger, of which there is one for all namespaces. */
  readonly shared: Pick<ArchivePort, 'query'>
}

const REDIS_READY_MS = 5_000

/** `named`: namespaces by projection, as `npm run replay` calls them; else whichever is active, at each read. */
export async function openReadStores(
  tool: Tool,
  named: { readonly [P in ProjectionName]?: string | undefined } = {},
): Promise<ReadStores> {
  let broken: unknown = null
  const namespaces = await followNamespaces({
    ...{ store: tool.store('namespaces'), clock: tool.clock, logger: silentLog },
    failed(fault) {
      broken = fault
    },
  })
  tool.atEnd(() => namespaces.stop())
  if (broken !== null) throw broken
  const chosen = (projection: ProjectionName): string | null => {
    const wanted = named[projection]
    if (wanted === undefined) return null
    const there = namespaces.of(projection).namespaces.map(({ name }) => name)
    const found = there.find((name) => shownAs(name) === wanted)
    if (found === undefined)
      throw new ToolError(
        `there is no namespace '${wanted}' of ${projection}; there are ${there.map(shownAs).join(', ')}`,
      )
    return found
  }
  const [live, archive] = [chosen('live'), chosen('archive')]
  const shared = tool.clickhouse()
  await learnArchivedSchemas(shared)
  const closing = <T extends { close(): Promise<unknown> }>(it: T): T => {
    tool.atEnd(() => it.close())
    return it
  }
  return {
    namespaces,
    async redis() {
      const redis = tool.redis('reads')
      await redis.ready(REDIS_READY_MS)
      return live === null ? inActive(redis, namespaces) : inNamespace(redis, live)
    },
    clickhouse: closing(
      archive === null
        ? activeArchive(tool.clickHouseOptions, namespaces)
        : createClickHouse(optionsIn(tool.clickHouseOptions, archive)),
    ),
    shared,
  }
}

/** Keys of contents, as far as they stand; followed until the command ends. */
export async function openToolKeys(tool: Tool): Promise<Pick<OpenKeys, 'opener' | 'keys'>> {
  const { opener, keys, stop } = await openContentKeys(tool.config, {
    ...{ store: tool.store('keys'), clock: tool.clock, logger: silentLog, by: 'a command' },
    // What it knew goes on to hold, and whoever needs a later key is told that it did not come.
    failed() {},
  })
  tool.atEnd(stop)
  return { opener, keys }
}
