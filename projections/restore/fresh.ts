/**
 * The read models of a new generation are built in namespaces of their own: those of the old one knew other offsets, and perhaps more
 * of a conversation than was restored. They stay where they are, and nothing keeps them up any more.
 */
import { seal } from '../../schemas/avro.ts'
import type { LogStore } from '../../schemas/ports.ts'
import { records } from '../../schemas/records.ts'
import { topics } from '../../schemas/topics.ts'
import {
  createRegistry,
  type Namespace,
  type NamespaceList,
  type ProjectionName,
  projectionNames,
} from '../namespaces/registry.ts'
import { scan } from '../scan.ts'

export interface FreshOptions {
  readonly store: LogStore
  readonly generation: number
  /** Namespaces of the archive that are there, whatever the registry still knows of them. */
  readonly archives: readonly string[]
  readonly by: string
  readonly at: number
}

export const namespaceOf = (generation: number): string => `g${generation}`

export async function startAfresh({ store, generation, archives, by, at }: FreshOptions): Promise<void> {
  const registry = createRegistry()
  await scan({
    store,
    topic: topics.projections,
    partitions: 1,
    compacted: true,
    take(_, batch) {
      for (const { key, value, timestamp } of batch)
        if (value) registry.apply(key?.toString('utf8') ?? '', value, timestamp)
    },
  })
  const appender = await store.appender('namespaces')
  try {
    for (const projection of projectionNames) {
      const list = freshList(
        registry.of(projection),
        projection === 'archive' ? archives : [],
        generation,
        at,
      )
      await appender.append(topics.projections, 0, {
        key: projection satisfies ProjectionName,
        value: seal(records.ProjectionNamespaces, {
          projection,
          active: list.active,
          namespaces: [...list.namespaces],
          by,
          at,
        }),
      })
    }
  } finally {
    await appender.close()
  }
}

/** The new one alone is followed. */
export function freshList(
  before: NamespaceList,
  others: readonly string[],
  generation: number,
  at: number,
): NamespaceList {
  const active = namespaceOf(generation)
  const old = new Set([...before.namespaces.map(({ name }) => name), ...others])
  old.delete(active)
  const one = (name: string, state: Namespace['state'], note: string): Namespace => ({
    ...{ name, state, note },
    since: at,
  })
  return {
    active,
    namespaces: [
      one(active, 'following', `restored as generation ${generation}`),
      ...[...old].map((name) => one(name, 'aside', `of the logs before generation ${generation}`)),
    ],
  }
}
