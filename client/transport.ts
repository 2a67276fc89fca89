/** One socket as the protocol layer sees it. Other transports (polling) implement the same interface. */
export interface TransportHandlers {
  open(): void
  /** Text for the JSON subprotocol, bytes for all else. */
  data(data: string | ArrayBuffer | Uint8Array): void
  /** Once, whatever the reason; nothing follows. */
  closed(reason: string): void
}

export interface Transport {
  /** False: the socket is not open any more and nothing was sent. */
  send(data: string | Uint8Array): boolean
  /** Lets what was sent go out first. `closed` is not called any more. */
  close(): void
}

export type OpenTransport = (address: string, subprotocol: string, handlers: TransportHandlers) => Transport

interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  onopen: ((event: never) => unknown) | null
  onmessage: ((event: { data: unknown } & never) => unknown) | null
  onclose: ((event: never) => unknown) | null
  onerror: ((event: never) => unknown) | null
  send(data: never): void
  close(code?: number): void
}
/** What the global WebSocket is, of browsers and of Node 22 or newer. */
export type WebSocketConstructor = new (url: string, protocol: string) => WebSocketLike

const OPEN = 1

/** Opens WebSockets with the given constructor. */
export function webSocketTransport(Socket: WebSocketConstructor): OpenTransport {
  return (address, subprotocol, handlers) => {
    const socket = new Socket(address, subprotocol)
    socket.binaryType = 'arraybuffer'
    let ended = false
    const end = (reason: string): void => {
      if (ended) return
      ended = true
      socket.onopen = socket.onmessage = socket.onclose = null
      // An error after the end must not surface as an uncaught one.
      socket.onerror = () => {}
      handlers.closed(reason)
    }
    socket.onopen = () => handlers.open()
    socket.onmessage = (event: { data: unknown }) => {
      if (typeof event.data === 'string' || event.data instanceof ArrayBuffer) handlers.data(event.data)
    }
    socket.onclose = () => end('closed')
    socket.onerror = () => {
      end('failed')
      socket.close()
    }
    return {
      send(data) {
        if (ended || socket.readyState !== OPEN) return false
        socket.send(data as never)
        return true
      },
      close() {
        ended = true
        socket.onopen = socket.onmessage = socket.onclose = null
        socket.onerror = () => {}
        socket.close()
      },
    }
  }
}
