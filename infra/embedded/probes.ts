import { connect } from 'node:net'

const probeTimeoutMs = 1_000
const metadataKey = 3

/** Sends `request` on a new loopback connection and answers what comes back until `enough`; `undefined` on any failure. */
export function exchange(
  port: number,
  request: Buffer,
  enough: (received: Buffer) => boolean,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let received: Buffer = Buffer.alloc(0)
    const finish = (answer: Buffer | undefined) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(probeTimeoutMs, () => finish(undefined))
    socket.once('error', () => finish(undefined))
    socket.once('close', () => finish(undefined))
    socket.once('connect', () => socket.write(request))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (enough(received)) finish(received)
    })
  })
}

/**
 * How many brokers a Kafka node sees alive, 0 if it does not answer. A Metadata request (version 1, no topics), written by
 * hand: an open port alone says nothing, and the engines should not depend on a Kafka client.
 */
export async function liveBrokers(port: number): Promise<number> {
  const clientId = Buffer.from('longwire-probe')
  const body = Buffer.alloc(10 + clientId.length + 4)
  body.writeInt16BE(metadataKey, 0)
  body.writeInt16BE(1, 2)
  body.writeInt32BE(1, 4)
  body.writeInt16BE(clientId.length, 8)
  clientId.copy(body, 10)
  body.writeInt32BE(0, 10 + clientId.length)
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  const answer = await exchange(
    port,
    Buffer.concat([size, body]),
    (received) => received.length >= 4 && received.length >= 4 + received.readInt32BE(0),
  )
  // size, correlation id, then the array of brokers
  return answer && answer.length >= 12 ? answer.readInt32BE(8) : 0
}

/** Whether Redis answers commands: not while it still loads its data. */
export async function redisAnswers(port: number): Promise<boolean> {
  const answer = await exchange(port, Buffer.from('PING\r\n'), (received) => received.includes('\r\n'))
  return answer?.toString().startsWith('+PONG') === true
}
