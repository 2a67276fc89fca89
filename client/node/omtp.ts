/** OMTP over TCP or TLS, for Node: loaded only when an address begins with omtp:// or omtps://. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createFraming } from '../../schemas/omtp/framing.ts'
import type { OpenTransport } from '../transport.ts'
import { ANSWER_BYTES_MAX } from './omtp-codec.ts'

const PORT_DEFAULT = 9110

/** `ca`: PEM text of an authority to trust beside those of the machine; null: those alone. */
export function omtpTransport(ca: string | null): OpenTransport {
  return (address, _subprotocol, handlers) => {
    const socket = dial(address, ca)
    const framing = createFraming(ANSWER_BYTES_MAX)
    let state: 'opening' | 'open' | 'ended' = 'opening'
    const end = (reason: string): void => {
      if (state === 'ended') return
      state = 'ended'
      handlers.closed(reason)
    }
    socket.setNoDelay(true)
    socket.once(address.startsWith('omtps:') ? 'secureConnect' : 'connect', () => {
      if (state !== 'opening') return
      state = 'open'
      handlers.open()
    })
    socket.on('data', (chunk: Buffer) => {
      if (state !== 'open') return
      const bad = framing.push(chunk, (frame) => {
        handlers.data(frame)
        return state === 'open'
      })
      if (bad) socket.destroy()
    })
    socket.on('error', () => end('failed'))
    socket.on('close', () => end('closed'))
    return {
      send(data) {
        if (state !== 'open') return false
        socket.write(data)
        return true
      },
      close() {
        if (state === 'opening') socket.destroy()
        state = 'ended'
        socket.end()
        // Whether the other side still answers keeps nobody waiting.
        socket.unref()
      },
    }
  }
}

function dial(address: string, ca: string | null): Socket {
  const { protocol, hostname, port } = new URL(address)
  const host = hostname.replace(/^\[|\]$/g, '')
  const to = { host, port: port === '' ? PORT_DEFAULT : Number(port) }
  if (protocol === 'omtp:') return connectTcp(to)
  const trust = ca === null ? {} : { ca }
  // The name of an address is no server name: TLS has none for it.
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
  return connectTls({ ...to, ...trust, ...name, minVersion: 'TLSv1.2' })
}
