/** The namespaces of each projection, and who works on them, folded from im.projections. Pure. */
import { open } from '../../schemas/avro.ts'
import { history } from '../../schemas/codec.ts'
import { type ProjectionNamespaces, records } from '../../schemas/records.ts'

/** `live`: the read models in Redis. `archive`: ClickHouse. */
export const projectionNames = ['live', 'archive'] as const
export type ProjectionName = (typeof projectionNames)[number]

export type Namespace = ProjectionNamespaces['namespaces'][number]

export interface NamespaceList {
  readonly active: string
  readonly namespaces: readonly Namespace[]
}

/** The namespace that is there without any record; its name is empty, and this is how people call it. */
export const ORIGINAL = 'original'
export const shownAs = (name: string): string => name || ORIGINAL

export const FIRST: NamespaceList = {
  active: '',
  namespaces: [{ name: '', state: 'following', since: 0, note: '' }],
}

export interface Lease {
  readonly holder: string
  readonly what: string
  /** Broker time in ms. */
  readonly from: number
  readonly until: number
}

export interface Registry {
  /** Answers whose list has changed, null: nobody's. Throws on a record that cannot be read. */
  apply(key: string, value: Buffer, timestamp: number): ProjectionName | null
  of(projection: ProjectionName): NamespaceList
  /** The last one given; it may have run out. */
  leaseOf(projection: ProjectionName): Lease | null
}

const LEASE_SUFFIX = '/lease'
export const leaseKey = (projection: ProjectionName): string => `${projection}${LEASE_SUFFIX}`

export function createRegistry(): Registry {
  const lists = new Map<ProjectionName, NamespaceList>()
  const leases = new Map<ProjectionName, Lease>()

  /** All readers give it to the same one: whoever's record comes first while it is free. */
  function applyLease(projection: ProjectionName, value: Buffer, now: number): void {
    const { holder, what, leaseMs } = open(records.ProjectionLease, value, history)
    const held = leases.get(projection)
    if (held && held.holder !== holder && now < held.until) return
    leases.set(projection, { holder, what, from: now, until: now + leaseMs })
  }

  return {
    apply(key, value, timestamp) {
      const isLease = key.endsWith(LEASE_SUFFIX)
      const name = isLease ? key.slice(0, -LEASE_SUFFIX.length) : key
      const projection = projectionNames.find((known) => known === name)
      // Of a later release.
      if (projection === undefined) return null
      if (isLease) {
        applyLease(projection, value, timestamp)
        return null
      }
      const { active, namespaces } = open(records.ProjectionNamespaces, value, history)
      lists.set(projection, { active, namespaces })
      return projection
    },
    of: (projection) => lists.get(projection) ?? FIRST,
    leaseOf: (projection) => leases.get(projection) ?? null,
  }
}

/** Those that the projections process keeps up. */
export const followedIn = ({ active, namespaces }: NamespaceList): string[] =>
  namespaces
    .filter(({ name, state }) => name === active || state === 'following' || state === 'retired')
    .map(({ name }) => name)

/** Those that must miss nothing that others than the projections write: the active one first. */
export const fedIn = ({ active, namespaces }: NamespaceList): string[] => [
  active,
  ...namespaces.filter(({ name, state }) => name !== active && state !== 'aside').map(({ name }) => name),
]

export const withNamespace = (list: NamespaceList, one: Namespace): NamespaceList => ({
  ...list,
  namespaces: [...list.namespaces.filter(({ name }) => name !== one.name), one],
})

export const withoutNamespace = (list: NamespaceList, gone: string): NamespaceList => ({
  ...list,
  namespaces: list.namespaces.filter(({ name }) => name !== gone),
})

/** What was active is retired and followed on, so that it can be switched back to. */
export const switchedTo = (list: NamespaceList, active: string, now: number): NamespaceList => ({
  active,
  namespaces: list.namespaces.map((one) => {
    if (one.name === active) return { ...one, state: 'following', since: now }
    if (one.name === list.active) return { ...one, state: 'retired', since: now }
    return one
  }),
})

const NAME = /^[a-z][a-z0-9_]{0,31}$/
export const isNamespaceName = (name: string): boolean => NAME.test(name) && name !== ORIGINAL
