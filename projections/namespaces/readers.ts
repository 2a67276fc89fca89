/** One reader for each namespace that is kept up: started when the registry names it, stopped when it is dropped. */
import { Fault, type Logger } from '../../schemas/ports.ts'
import type { NamespaceFollower } from './follower.ts'
import { followedIn, type ProjectionName, shownAs } from './registry.ts'

export interface NamespaceReader {
  stats(): { readonly beginning: number }
  stop(): Promise<void>
}

export interface NamespaceReaders {
  /** By the name that metrics know them by: the active one as the projection itself. */
  running(): ReadonlyMap<string, NamespaceReader>
  stop(): Promise<void>
}

export interface NamespaceReadersOptions {
  readonly projection: ProjectionName
  readonly namespaces: NamespaceFollower
  /** May take long: what is waited for, as a store that is away, is waited for inside. */
  start(namespace: string): Promise<NamespaceReader>
  readonly logger: Logger
  failed(fault: Fault): void
}

/** Resolves once those that are there now have been started. */
export async function followEach(options: NamespaceReadersOptions): Promise<NamespaceReaders> {
  const { projection, namespaces, logger } = options
  const readers = new Map<string, NamespaceReader>()
  let turn: Promise<void> = Promise.resolve()
  let stopped = false

  async function adjust(): Promise<void> {
    const wanted = stopped ? [] : followedIn(namespaces.of(projection))
    for (const [name, reader] of readers)
      if (!wanted.includes(name)) {
        readers.delete(name)
        await reader.stop()
        if (!stopped) logger.info({ projection, namespace: shownAs(name) }, 'no longer followed')
      }
    for (const name of wanted) {
      if (stopped || readers.has(name)) continue
      readers.set(name, await options.start(name))
      if (name !== '') logger.info({ projection, namespace: name }, 'following')
    }
  }

  function later(): Promise<void> {
    turn = turn.then(adjust).catch((cause: unknown) => {
      options.failed(
        cause instanceof Fault
          ? cause
          : new Fault('projection_failed', `${projection}: ${String(cause)}`, { retriable: false, cause }),
      )
    })
    return turn
  }

  const unlisten = namespaces.onChange(projection, () => void later())
  await later()
  return {
    running() {
      const { active } = namespaces.of(projection)
      return new Map(
        [...readers].map(([name, reader]) => [
          name === active ? projection : `${projection}_${shownAs(name)}`,
          reader,
        ]),
      )
    },
    async stop() {
      stopped = true
      unlisten()
      await later()
    },
  }
}
