/**
 * The usual way to build it, as a warning: state from a snapshot of what was decided, next command from a committed
 * offset, no claim, and never a look at one's own output.
 */
import { evolveInto, type Fold, streamIn } from '../../../processors/fold.ts'
import type { Decide } from '../../../processors/processor.ts'
import { cloneState } from '../../../processors/state.ts'
import { answerCommand } from '../../../processors/write.ts'
import { sealEnvelope } from '../../../schemas/codec.ts'
import type { Commands, World } from './worker.ts'

/** What survives a crash. */
export interface Trusted {
  snapshot: Fold
  committed: number
}

export interface ShortcutWorker {
  step(): void
}

export function createShortcutWorker(
  { random, network }: World,
  trusted: Trusted,
  commands: Commands,
  decide: Decide,
): ShortcutWorker {
  const fold = copyOf(trusted.snapshot)
  let next = trusted.committed
  let busy = false
  return {
    step() {
      if (busy) return
      if (random.chance(0.2)) {
        trusted.snapshot = copyOf(fold)
        return
      }
      const batch = commands.records.slice(next, next + 1 + random.int(3))
      if (batch.length === 0) return
      const values = batch.map((record) => {
        fold.now = Math.max(fold.now, record.timestamp)
        const stateOf = (stream: string) => streamIn(fold.streams, stream)
        const writer = { generation: 0, epoch: 0, now: fold.now, decide, stateOf }
        const { envelope, payload } = answerCommand(writer, record)
        evolveInto(fold, envelope, payload)
        return sealEnvelope(envelope)
      })
      busy = true
      // A patient writer: it sends again until the log says yes, and commits only after that.
      const attempt = () =>
        network.append(
          values,
          (offset) => {
            if (offset === null) return attempt()
            busy = false
            next += batch.length
            trusted.committed = next
          },
          true,
        )
      attempt()
    },
  }
}

function copyOf(fold: Fold): Fold {
  const streams = new Map([...fold.streams].map(([stream, state]) => [stream, cloneState(state)]))
  return { ...fold, streams, beforeChange: null }
}
