/** Builds a projection anew beside the one that is read, compares the two, and switches by one record of the registry. */
import { createHash } from 'node:crypto'
import { type Clock, Fault, type Logger, type LogStore, sleepOf } from '../../schemas/ports.ts'
import type { NamespaceFollower } from '../namespaces/follower.ts'
import {
  type Namespace,
  type NamespaceList,
  switchedTo,
  withNamespace,
  withoutNamespace,
} from '../namespaces/registry.ts'
import type { HeldLease, RegistryWriter } from '../namespaces/writer.ts'
import { requireWholeLog, requireWithinLog } from './log-range.ts'
import { type RebuildOptions, type RebuildProgress, type RebuildResult, rebuild } from './rebuild.ts'
import type { Comparison } from './report.ts'
import type { Stage } from './stage.ts'
import type { Window } from './window.ts'

export interface ReplayContext {
  readonly stage: Stage
  readonly store: (name: string) => LogStore
  readonly partitions: number
  readonly registry: RegistryWriter
  readonly follower: NamespaceFollower
  readonly lease: Pick<HeldLease, 'check'>
  readonly clock: Clock
  readonly logger: Logger
  readonly signal?: AbortSignal
  readonly passUnknown?: boolean
  /** Opens sealed contents. Default: as they are. */
  readonly open?: RebuildOptions['open']
  readonly onProgress?: (progress: RebuildProgress) => void
}

const WHOLE = { partial: false, replaced: {} }
const POLL_MS = 200
const HAND_OVER_MS_MAX = 60_000

/** Where this projection's rebuild stands: what was begun and not switched to; null: nothing was. */
export const candidateIn = ({ active, namespaces }: NamespaceList): Namespace | null =>
  namespaces.find(({ name, state }) => name !== active && (state === 'building' || state === 'following')) ??
  null

/**
 * Builds the whole of the log into a namespace and hands it over to the projections process; goes on where an interrupted one stood.
 * Answers its name, and null for the result where it had been built before.
 */
export async function buildNamespace(
  context: ReplayContext,
): Promise<{ readonly namespace: string; readonly result: RebuildResult | null }> {
  const { stage, registry, follower, clock } = context
  const begun = candidateIn(follower.of(stage.projection))
  if (begun?.state === 'following') {
    await untilFollowed(context, begun.name)
    return { namespace: begun.name, result: null }
  }
  const name = begun?.name ?? newName(clock.now())
  if (begun === null) {
    await requireWholeLog(context)
    await note(context, { name, state: 'building', since: clock.now(), note: '' })
  }
  await stage.prepare(name)
  await requireWholeLog(context, await stage.positions(name))
  const result = await fill(context, name, WHOLE)
  context.lease.check()
  await registry.change(stage.projection, (list) =>
    withNamespace(list, { name, state: 'following', since: clock.now(), note: '' }),
  )
  await untilFollowed(context, name)
  return { namespace: name, result }
}

export interface AsideOptions {
  readonly window?: Window
  /** Projections of another version, by name. */
  readonly replaced?: Readonly<Record<string, unknown>>
  /** What it is, for people; the same text goes on with the same namespace. */
  readonly note: string
  /** Compare with what is read, while both go on. */
  readonly compare?: (text: string) => void
}

/** Builds what is for looking at only: of a part of the log, or by another version of the projection. */
export async function buildAside(
  context: ReplayContext,
  options: AsideOptions,
): Promise<{
  readonly namespace: string
  readonly result: RebuildResult
  readonly comparison: Comparison | null
}> {
  const { stage, clock, follower } = context
  const { window, replaced = {}, compare } = options
  const name = `a${createHash('sha256').update(options.note).digest('hex').slice(0, 10)}`
  await requireWholeLog(context)
  if (window) await requireWithinLog(context, window)
  if (!follower.of(stage.projection).namespaces.some((one) => one.name === name))
    await note(context, { name, state: 'aside', since: clock.now(), note: options.note })
  await stage.prepare(name)
  let comparison: Comparison | null = null
  const result = await fill(
    context,
    name,
    { partial: window !== undefined && window.from !== null, replaced },
    {
      ...(window ? { window } : {}),
      ...(compare
        ? {
            async atEnd() {
              comparison = await stage.compare(follower.of(stage.projection).active, name, compare)
            },
          }
        : {}),
    },
  )
  return { namespace: name, result, comparison }
}

/** What was active is kept up, to be switched back to. Rejects with Fault `no_namespace` for what is not kept up. */
export async function switchTo(
  { stage, registry, clock, lease }: Pick<ReplayContext, 'stage' | 'registry' | 'clock' | 'lease'>,
  name: string,
): Promise<void> {
  lease.check()
  await registry.change(stage.projection, (list) => {
    const one = list.namespaces.find((known) => known.name === name)
    if (one?.state !== 'following' && one?.state !== 'retired')
      throw new Fault('no_namespace', `${name} is not kept up, so it cannot be read from`, {
        retriable: false,
      })
    return switchedTo(list, name, clock.now())
  })
}

/** Time for every process to have read the record that names the namespace no longer. */
const FORGET_MS = 3_000
const GROUP_TRIES = 20

/** Takes it out of the registry, then destroys it. May be repeated where it was interrupted. */
export async function dropNamespace(context: ReplayContext, name: string): Promise<void> {
  const { stage, registry, clock, store } = context
  context.lease.check()
  await registry.change(stage.projection, (list) => {
    if (list.active === name)
      throw new Fault('active_namespace', 'it is the one that is read', { retriable: false })
    return withoutNamespace(list, name)
  })
  await sleepOf(clock)(FORGET_MS)
  const admin = await store('groups').admin()
  try {
    const group = stage.group(name)
    for (let tries = 0; tries < GROUP_TRIES; tries++) {
      if (!(await admin.listGroups(group)).includes(group)) break
      // Refused while its reader is there.
      if (
        await admin.deleteGroup(group).then(
          () => true,
          () => false,
        )
      )
        break
      await sleepOf(clock)(POLL_MS * 5)
    }
  } finally {
    await admin.close()
  }
  await stage.drop(name)
}

async function fill(
  context: ReplayContext,
  name: string,
  sinkOptions: Parameters<Stage['sink']>[1],
  more: { readonly window?: Window; readonly atEnd?: () => Promise<void> } = {},
): Promise<RebuildResult> {
  const { stage, store, partitions, clock, logger, signal, passUnknown, open, onProgress } = context
  const { sink, close } = stage.sink(name, sinkOptions)
  try {
    return await rebuild({
      ...{ store: store('replay'), sink, partitions, clock, logger, ...more },
      ...(signal ? { signal } : {}),
      ...(passUnknown === undefined ? {} : { passUnknown }),
      ...(open ? { open } : {}),
      onProgress(progress) {
        context.lease.check()
        onProgress?.(progress)
      },
    })
  } finally {
    await close()
  }
}

const note = (
  { registry, stage, lease }: Pick<ReplayContext, 'registry' | 'stage' | 'lease'>,
  one: Namespace,
): Promise<NamespaceList> => {
  lease.check()
  return registry.change(stage.projection, (list) => withNamespace(list, one))
}

/** Resolves once the projections process has it, and has come to where the active one stood. */
async function untilFollowed(context: ReplayContext, name: string): Promise<void> {
  const { stage, store, clock, follower, signal } = context
  const wanted = await stage.positions(follower.of(stage.projection).active)
  const admin = await store('groups').admin()
  try {
    for (const end = clock.now() + HAND_OVER_MS_MAX; ; ) {
      if (signal?.aborted) throw new Fault('aborted', 'stopped before the end', { retriable: true })
      const group = stage.group(name)
      if ((await admin.listGroups(group)).includes(group)) {
        const now = await stage.positions(name)
        if ([...wanted].every(([partition, offset]) => (now.get(partition) ?? 0) >= offset)) return
      }
      if (clock.now() >= end)
        throw new Fault(
          'not_followed',
          `${name} is built, but no projections process has taken it over within ${HAND_OVER_MS_MAX / 1_000} s: start one, and run the same command again`,
          { retriable: true },
        )
      await sleepOf(clock)(POLL_MS)
    }
  } finally {
    await admin.close()
  }
}

/** By the time, so that no name comes twice: r261122001530. */
const newName = (now: number): string => `r${new Date(now).toISOString().replace(/\D/g, '').slice(2, 14)}`
