/** The network between clients and gateways: ordered per connection, late, and cut at will. */
import type { OpenTransport } from '../../../client/transport.ts'
import type { Hub } from '../../../gateway/hub.ts'
import type { Clock } from '../../../schemas/ports.ts'
import type { Random } from '../random.ts'

export interface Links {
  readonly open: OpenTransport
  /** Null: nothing listens at this address (any more); its connections break. */
  listen(address: string, hub: Hub | null): void
  /** Cuts about this share of all connections. */
  cut(share: number): void
}

interface Link {
  readonly address: string
  break(): void
}

export function createLinks(clock: Clock, random: Random): Links {
  const hubs = new Map<string, Hub>()
  const links = new Set<Link>()

  /** Runs what it is given in order, each some ms after it was given. */
  const lane = () => {
    let last = 0
    return (fn: () => void) => {
      last = Math.max(last, clock.now() + 1 + random.int(5))
      clock.after(last - clock.now(), fn)
    }
  }

  const open: OpenTransport = (address, _subprotocol, handlers) => {
    const up = lane()
    const down = lane()
    let live = true
    let hub: Hub | null = null
    let connection: ReturnType<Hub['connected']> | null = null

    const end = () => {
      live = false
      links.delete(link)
      if (hub && connection) hub.closed(connection)
      connection = null
    }
    const link: Link = {
      address,
      break() {
        if (!live) return
        // A gateway that was killed is told nothing; the client learns it from its socket.
        if (hubs.get(address) !== hub) connection = null
        end()
        clock.after(1 + random.int(20), () => handlers.closed('cut'))
      },
    }
    links.add(link)
    up(() => {
      if (!live) return
      hub = hubs.get(address) ?? null
      if (!hub) return link.break()
      connection = hub.connected(
        {
          send(bytes) {
            if (!live) return false
            const text = bytes.toString('utf8')
            down(() => {
              if (live) handlers.data(text)
            })
            return true
          },
          cork: (fn) => fn(),
          buffered: () => 0,
          entered() {},
          end(_code, reason) {
            down(() => {
              if (!live) return
              end()
              handlers.closed(reason)
            })
          },
        },
        'json',
        { address: '127.0.0.1', transport: 'ws' },
      )
      handlers.open()
    })
    return {
      send(data) {
        if (!live) return false
        const bytes = Buffer.from(data as string)
        up(() => {
          if (live && hub && connection) hub.received(connection, bytes)
        })
        return true
      },
      close() {
        up(() => {
          if (live) end()
        })
      },
    }
  }

  return {
    open,
    listen(address, hub) {
      if (hub) hubs.set(address, hub)
      else hubs.delete(address)
      for (const link of [...links]) if (link.address === address) link.break()
    },
    cut(share) {
      for (const link of [...links]) if (random.chance(share)) link.break()
    },
  }
}
