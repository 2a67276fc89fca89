import { Session } from 'chdb'
import { type ChdbRequest, HttpInterfaceError, parseInsert, quote } from './chdb-request.ts'

export interface ChdbAnswer {
  readonly bytes: Uint8Array
  readonly rowsRead: number
  readonly bytesRead: number
  readonly rowsWritten: number
  readonly bytesWritten: number
  readonly elapsedSec: number
}

export interface ChdbPool {
  run(request: ChdbRequest): Promise<ChdbAnswer>
  /** Waits for what runs, then lets the engine write and close its files. */
  close(): Promise<void>
}

interface Lane {
  session: Session
  database: string
  /** Parameters that earlier requests left in the session. */
  params: Set<string>
}

const readLanes = 4
const writeLanes = 2
const waitingMax = 2_000
const insertFormats = ['JSONEachRow', 'JSONCompactEachRow', 'TabSeparated', 'TSV', 'CSV'] as const
type InsertFormat = (typeof insertFormats)[number]

/**
 * Sessions of one engine on one folder. Each runs one request at a time and they run in parallel; reads and writes have
 * sessions of their own, so that a page of history does not queue behind an insert.
 */
export function createChdbPool(dir: string): ChdbPool {
  const open = (): Session => new Session(dir)
  const read = createLanes(readLanes, open)
  const write = createLanes(writeLanes, open)
  let closed = false
  return {
    run: (request) => {
      if (closed) throw new HttpInterfaceError(503, 210, 'the server is stopping')
      return (request.kind === 'read' ? read : write).use((lane) => runOn(lane, request, open))
    },
    close: async () => {
      closed = true
      await Promise.all([read.drain(), write.drain()])
    },
  }
}

function createLanes(count: number, open: () => Session) {
  const lanes: Lane[] = Array.from({ length: count }, () => fresh(open))
  const idle = [...lanes]
  const waiting: ((lane: Lane) => void)[] = []
  const take = (): Promise<Lane> => {
    const lane = idle.pop()
    if (lane) return Promise.resolve(lane)
    if (waiting.length >= waitingMax) throw new HttpInterfaceError(503, 202, 'Too many simultaneous queries')
    return new Promise((resolve) => waiting.push(resolve))
  }
  const give = (lane: Lane) => {
    const next = waiting.shift()
    if (next) next(lane)
    else idle.push(lane)
  }
  return {
    use: async <T>(work: (lane: Lane) => Promise<T>): Promise<T> => {
      const lane = await take()
      try {
        return await work(lane)
      } finally {
        give(lane)
      }
    },
    drain: async () => {
      const all = await Promise.all(lanes.map(() => take()))
      for (const lane of all) lane.session.close()
    },
  }
}

function fresh(open: () => Session): Lane {
  return { session: open(), database: 'default', params: new Set() }
}

async function runOn(lane: Lane, request: ChdbRequest, open: () => Session): Promise<ChdbAnswer> {
  // A parameter that this request forgot must be an error, not the value of an earlier request.
  const stale = [...lane.params].some(
    (name) => !request.params.has(name) && request.sql.includes(`{${name}:`),
  )
  if (stale) renew(lane, open)
  if (lane.database !== request.database) {
    await lane.session.queryAsync(`USE \`${request.database}\``)
    lane.database = request.database
  }
  try {
    if (request.data) return await insert(lane.session, request, request.data)
    await set(lane, request)
    const result = await lane.session.queryAsync(request.sql, { format: request.format })
    return {
      bytes: result.bytes(),
      rowsRead: result.rowsRead,
      bytesRead: result.bytesRead,
      rowsWritten: 0,
      bytesWritten: 0,
      elapsedSec: result.elapsed,
    }
  } finally {
    await unset(lane, request, open)
  }
}

async function insert(session: Session, request: ChdbRequest, data: Buffer): Promise<ChdbAnswer> {
  const { table, columns, format } = parseInsert(request.sql)
  const known = insertFormats.find((name) => name === format)
  if (!known) {
    throw new HttpInterfaceError(
      400,
      73,
      `the embedded engine takes inserts as ${insertFormats.join(', ')}, not ${format}`,
    )
  }
  const result = await session.insert({
    table,
    values: data,
    format: known satisfies InsertFormat,
    ...(columns ? { columns } : {}),
    settings: Object.fromEntries(request.settings),
  })
  return {
    bytes: new Uint8Array(0),
    rowsRead: 0,
    bytesRead: 0,
    rowsWritten: result.rowsWritten,
    bytesWritten: result.bytesWritten,
    elapsedSec: result.elapsed,
  }
}

async function set(lane: Lane, request: ChdbRequest): Promise<void> {
  const assignments = [
    ...[...request.settings].map(([name, value]) => `${name} = ${quote(value)}`),
    ...[...request.params].map(([name, value]) => `param_${name} = ${quote(value)}`),
  ]
  if (assignments.length === 0) return
  for (const name of request.params.keys()) lane.params.add(name)
  await lane.session.queryAsync(`SET ${assignments.join(', ')}`)
}

async function unset(lane: Lane, request: ChdbRequest, open: () => Session): Promise<void> {
  const names = [...request.settings.keys()]
  const changesSession = /^(set|use)\b/i.test(request.sql)
  if (changesSession) renew(lane, open)
  else if (names.length > 0 && !request.data) {
    // What one request set must not reach the next; a session that cannot be reset is replaced.
    await lane.session
      .queryAsync(`SET ${names.map((name) => `${name} = DEFAULT`).join(', ')}`)
      .catch(() => renew(lane, open))
  }
}

function renew(lane: Lane, open: () => Session): void {
  const before = lane.session
  Object.assign(lane, fresh(open))
  before.close()
}
