import { avroFrames } from './avro.ts'
import { type Frame, fromJson, type Wire } from './wire.ts'

interface Coding {
  readonly subprotocol: string
  encode(frame: Frame): string | Uint8Array
  decode(data: string | ArrayBuffer): Frame
}

const json: Coding = {
  subprotocol: 'longwire.json',
  encode: (frame) => JSON.stringify(frame),
  decode: (data) => fromJson(String(data)),
}

function wire(name: string, url: string, coding: Coding): Wire {
  return {
    name,
    open: (handlers) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url, coding.subprotocol)
        socket.binaryType = 'arraybuffer'
        socket.onmessage = ({ data }) => handlers.frame(coding.decode(data as string | ArrayBuffer))
        socket.onerror = () => reject(new Error(`${url} takes no WebSocket`))
        socket.onclose = () => handlers.ended()
        socket.onopen = () => {
          if (socket.protocol === coding.subprotocol)
            resolve({
              send: (frame) => socket.send(coding.encode(frame) as string),
              close: () => socket.close(),
            })
          else reject(new Error(`subprotocol ${coding.subprotocol} was offered, ${socket.protocol} taken`))
        }
      }),
  }
}

export const webSocketJson = (url: string): Wire => wire('ws-json', url, json)

export function webSocketAvro(url: string): Wire {
  const { encode, decode } = avroFrames()
  return wire('ws-avro', url, {
    subprotocol: 'longwire.avro',
    encode,
    decode: (data) => decode(Buffer.from(data as ArrayBuffer)),
  })
}
