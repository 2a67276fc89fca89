/** A TCP proxy on 127.0.0.1 whose network can be made bad: cut, gone without a word, closed, or slow. */
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  readonly port: number
  /** Connections that are open on both sides. */
  readonly open: number
  /** Resets every connection; answers how many. */
  cut(): number
  /** Nobody gets in any more, or again: connections are reset at once. */
  refuse(on: boolean): void
  /**
   * From now on nothing of the connections open now passes, in neither direction, and neither side hears that the other has gone, as
   * when a cable is pulled. New ones pass.
   */
  vanish(): Vanished
  /** What comes back from the target waits so long. */
  delay(ms: number): void
  /** The next answers to requests that begin like this are swallowed, and their connections reset: what they did is done. */
  loseAnswers(to: RegExp, count: number): void
  /** Of those, how many are still to be lost. */
  toLose(): number
  /** From now on whole HTTP requests that begin like this never reach the target, and get `answer` instead; null: they do again. */
  answerFor(to: RegExp, answer: string | null): void
  /** Requests that got such an answer. */
  answered(): number
  close(): Promise<void>
}

export interface Vanished {
  readonly count: number
  /** How long after vanishing the target closed each, in ms, as far as it has. */
  readonly closedAfterMs: readonly number[]
}

interface Pair {
  readonly client: Socket
  readonly target: Socket
  gone: boolean
  /** Beginning of what the client said last. */
  asked: string
  /** What has come so far of a request that the target does not get; else null. */
  kept: Buffer | null
}

const ASKED_BYTES = 500

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let refusing = false
  let delayMs = 0
  let losing = { to: /^$/, left: 0 }
  let standIn: { readonly to: RegExp; readonly answer: string } | null = null
  let answered = 0
  const server = createServer({ allowHalfOpen: false, noDelay: true }, (client) => {
    client.on('error', () => {})
    if (refusing) return void client.resetAndDestroy()
    const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    const pair: Pair = { client, target, gone: false, asked: '', kept: null }
    pairs.add(pair)
    const late: Buffer[] = []
    target.on('error', () => {})
    client.on('data', (bytes) => {
      if (keeps(pair, bytes)) return
      // A request's later pieces do not begin like one.
      const beginning = losing.left > 0 ? bytes.toString('latin1', 0, ASKED_BYTES) : ''
      if (/^[A-Z]+ \//.test(beginning)) pair.asked = beginning
      if (!pair.gone && !target.write(bytes)) client.pause()
    })
    target.on('drain', () => client.resume())
    target.on('data', (bytes) => {
      if (pair.gone) return
      if (losing.left > 0 && losing.to.test(pair.asked)) {
        losing.left -= 1
        client.resetAndDestroy()
        target.destroy()
        return
      }
      // What waits stays before what comes later, when the delay has ended, too.
      if (delayMs > 0 || late.length > 0) {
        late.push(bytes)
        setTimeout(() => client.write(late.shift() ?? ''), delayMs)
      } else if (!client.write(bytes)) target.pause()
    })
    client.on('drain', () => target.resume())
    target.on('close', () => {
      pairs.delete(pair)
      if (!pair.gone) client.destroy()
    })
    client.on('close', () => {
      if (!pair.gone) target.destroy()
    })
  })
  function keeps(pair: Pair, bytes: Buffer): boolean {
    if (pair.kept === null && standIn?.to.test(bytes.toString('latin1', 0, ASKED_BYTES)) !== true)
      return false
    pair.kept = Buffer.concat([pair.kept ?? Buffer.alloc(0), bytes])
    if (!isWhole(pair.kept)) return true
    pair.kept = null
    answered += 1
    pair.client.write(standIn?.answer ?? 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n')
    return true
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    get open() {
      return pairs.size
    },
    cut() {
      const cut = [...pairs].filter(({ gone }) => !gone)
      for (const { client, target } of cut) {
        client.resetAndDestroy()
        target.resetAndDestroy()
      }
      return cut.length
    },
    refuse(on) {
      refusing = on
    },
    vanish() {
      const closedAfterMs: number[] = []
      const fromMs = performance.now()
      const going = [...pairs].filter(({ gone }) => !gone)
      for (const pair of going) {
        pair.gone = true
        pair.target.on('close', () => {
          closedAfterMs.push(performance.now() - fromMs)
          pair.client.destroy()
        })
        // What is not read at all would in time fill the sender's window: that is no silence.
        pair.target.resume()
      }
      return { count: going.length, closedAfterMs }
    },
    delay(ms) {
      delayMs = ms
    },
    loseAnswers(to, count) {
      losing = { to, left: count }
    },
    toLose: () => losing.left,
    answerFor(to, answer) {
      standIn = answer === null ? null : { to, answer }
    },
    answered: () => answered,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const { client, target } of pairs) {
        client.destroy()
        target.destroy()
      }
      await closed
    },
  }
}

/** A request of HTTP/1.1, to the end of its body. */
function isWhole(request: Buffer): boolean {
  const headEnd = request.indexOf('\r\n\r\n')
  if (headEnd < 0) return false
  const head = request.toString('latin1', 0, headEnd).toLowerCase()
  if (head.includes('transfer-encoding: chunked')) return request.subarray(headEnd).includes('\r\n0\r\n\r\n')
  const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0)
  return request.length >= headEnd + 4 + length
}
