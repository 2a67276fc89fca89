/** Says every line at its time, and waits until all of it has arrived everywhere or nothing moves any more. */
import { type Content, LongwireError } from '../../client/index.ts'
import type { Audit } from './audit.ts'
import type { Heard, Room } from './room.ts'
import type { Script, Turn } from './script.ts'

const TICK_MS = 5
const QUIET_MS_MAX = 20_000

/** What a line becomes: `turn` matches receipts; an empty line is no text message but is said all the same. */
export function contentOf(turn: Turn, index: number): Content {
  const { nick, text, action } = turn
  return {
    type: text === '' ? 'custom' : 'text',
    text,
    nick,
    turn: index,
    ...(action ? { action: true } : {}),
  }
}

/** Tells the audit about a message that a client shows. */
export function hear(script: Script, audit: Audit, { person, seq, content }: Heard): void {
  const index = Number(content.turn)
  const turn = script.turns[index]
  if (!turn) return
  const asSent = content.text === turn.text && content.nick === turn.nick
  audit.received(person, index, seq, asSent, performance.now())
}

/** Answers the codes of what was refused, with how often. */
export async function play(
  script: Script,
  room: Room,
  audit: Audit,
  speed: number,
  progress: (share: number) => void,
): Promise<Map<string, number>> {
  const refusals = new Map<string, number>()
  const say = (turn: Turn, index: number): void => {
    const client = room.clients[turn.person]
    if (!client) return
    audit.sent(index, performance.now())
    client.send({ conversationId: room.conversationId, content: contentOf(turn, index) }).then(
      ({ seq }) => audit.committed(index, seq, performance.now()),
      (error: unknown) => {
        const code = error instanceof LongwireError ? error.code : String(error)
        refusals.set(code, (refusals.get(code) ?? 0) + 1)
        audit.refused(index)
      },
    )
  }
  const fromMs = performance.now()
  let next = 0
  while (next < script.turns.length) {
    const playedMs = (performance.now() - fromMs) * speed
    for (let turn = script.turns[next]; turn && turn.atMs <= playedMs; turn = script.turns[next])
      say(turn, next++)
    progress(Math.min(1, playedMs / script.spanMs))
    await sleep(TICK_MS)
  }
  await settled(audit, script.people.length, () => progress(1))
  return refusals
}

/** Until everything arrived, or nothing did for 20 s. A moment more for what comes twice. */
async function settled(audit: Audit, people: number, progress: () => void): Promise<void> {
  let before = ''
  let movedMs = performance.now()
  for (;;) {
    const counts = audit.counts()
    const open = counts.sent - counts.committed - counts.refused
    if (open === 0 && counts.received >= counts.committed * people) break
    const now = JSON.stringify(counts)
    if (now !== before) movedMs = performance.now()
    before = now
    if (performance.now() - movedMs > QUIET_MS_MAX) break
    progress()
    await sleep(50)
  }
  await sleep(500)
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
