import { createServer } from 'node:net'
import path from 'node:path'
import { readJson, writeAtomically } from './run-record.ts'

/** Whether a TCP port can be listened on at this address now. Port 0 always can. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** `count` different free loopback ports. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer()
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** The ports an engine had the last time if they are all free, else new ones; remembered in the engine's folder. */
export async function stablePorts(dir: string, count: number): Promise<number[]> {
  const file = path.join(dir, 'ports.json')
  const before = readJson<number[]>(file)
  if (before?.length === count) {
    const free = await Promise.all(before.map((port) => isPortFree(port, '127.0.0.1')))
    if (free.every(Boolean)) return before
  }
  const ports = await freePorts(count)
  writeAtomically(file, JSON.stringify(ports))
  return ports
}
