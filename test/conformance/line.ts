/** One connection of one user: what came and was not looked at yet, and a wait for what must come. */
import type { Frame, Wire } from './wires/wire.ts'

export interface Line {
  send(frame: Frame): void
  /** The first frame not looked at that fits. Rejects when none comes in time. */
  next(what: string, fits: (frame: Frame) => boolean): Promise<Frame>
  /** Takes those that have come and fit. */
  taken(fits: (frame: Frame) => boolean): Frame[]
  ended(): Promise<void>
  isOver(): boolean
  close(): void
}

const ANSWER_MS_MAX = 15_000
const STEP_MS = 10

export interface ItemLike {
  readonly conversationId: string
  readonly seq: number
  readonly kind: string
  readonly [field: string]: unknown
}
export const itemOf = (frame: Frame): ItemLike => frame.item as ItemLike

export async function openLine(wire: Wire): Promise<Line> {
  const waiting: Frame[] = []
  const types: string[] = []
  let over = false
  const pipe = await wire.open({
    frame(frame) {
      types.push(frame.type)
      waiting.push(frame)
      // As a client must, once it has stored it.
      if (frame.type === 'event') {
        const { conversationId, seq } = itemOf(frame)
        pipe.send({ type: 'ack', acks: [{ conversationId, seq }] })
      }
    },
    ended() {
      over = true
    },
  })

  async function until(what: string, done: () => boolean): Promise<void> {
    const end = Date.now() + ANSWER_MS_MAX
    while (!done()) {
      if (Date.now() > end)
        throw new Error(`no ${what} in ${ANSWER_MS_MAX / 1000} s; there came: ${types.slice(-8).join(', ')}`)
      await new Promise((resolve) => setTimeout(resolve, STEP_MS))
    }
  }

  return {
    send: (frame) => pipe.send(frame),
    async next(what, fits) {
      let at = -1
      await until(what, () => {
        at = waiting.findIndex(fits)
        return at >= 0
      })
      return waiting.splice(at, 1)[0] as Frame
    },
    taken(fits) {
      const all = waiting.filter(fits)
      for (const frame of all) waiting.splice(waiting.indexOf(frame), 1)
      return all
    },
    ended: () => until('end of the connection', () => over),
    isOver: () => over,
    close: () => pipe.close(),
  }
}
