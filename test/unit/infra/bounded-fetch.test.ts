import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { boundedFetch } from '../../../infra/bounded-fetch.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const bounds = { timeoutMs: 300, bytesMax: 1_000 }

describe('a bounded request', () => {
  it('gives the body of a 200, up to its limit', async () => {
    const url = await serving((_, response) => response.end('x'.repeat(1_000)))
    expect(await boundedFetch(url, {}, bounds)).toHaveLength(1_000)
  })

  it.each<[string, RequestListener, string]>([
    ['a body over the limit', (_, response) => response.end('x'.repeat(1_001)), 'http_too_large'],
    [
      'a body without an end',
      (_, response) => {
        const more = () => response.write('x'.repeat(500)) && setImmediate(more)
        more()
        response.on('drain', more)
      },
      'http_too_large',
    ],
    ['another status', (_, response) => response.writeHead(500).end('ok'), 'http_status'],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/x' }).end(), 'unavailable'],
    ['no answer', () => {}, 'unavailable'],
    ['an answer that stops', (_, response) => void response.writeHead(200).write('x'), 'unavailable'],
    ['a connection that breaks', (request) => request.socket.destroy(), 'unavailable'],
  ])('ends at %s with a fault that may be tried again', async (_, listener, code) => {
    const url = await serving(listener)
    await expect(boundedFetch(url, {}, bounds)).rejects.toMatchObject({ code, retriable: true })
  })

  it('names no address in what it says', async () => {
    const error = await boundedFetch('http://127.0.0.1:1/secret', {}, bounds).catch((fault: Error) => fault)
    expect(String(error)).not.toMatch(/secret|127/)
  })
})
