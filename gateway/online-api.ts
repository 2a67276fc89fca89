/** Who is online, for operators, as JSON on the API port: by user, by connection, by gateway. */
import type { OnlineRegistry } from '../infra/redis/online-map.ts'
import type { Answer } from '../infra/role-report.ts'
import type { OnlineEntry } from '../processors/fanout/ports.ts'
import { type CodeName, codes } from '../schemas/codes.ts'
import { isId } from '../schemas/ids.ts'
import { limits } from '../schemas/limits.ts'
import { Fault } from '../schemas/ports.ts'
import type { Connections } from './connections.ts'

export interface OnlineApiOptions {
  readonly online: Pick<
    OnlineRegistry,
    'connection' | 'connectionsOf' | 'locate' | 'usersOf' | 'announced' | 'gateways'
  >
  readonly connections: Pick<Connections, 'byId'>
  lives(entry: OnlineEntry): boolean
}

type Found = OnlineEntry & { readonly user: string }

const refusal = (status: number, code: CodeName): Answer => ({
  status,
  body: { code, message: codes[code].text },
})
const nobody: Answer = { status: 404, body: { code: 'not_found', message: 'There is none, or no more.' } }
const PATH = /^\/online\/(users|connections|gateways)\/([^/?]+)$/

/** Null: a path of somebody else's. */
export function onlineApi(options: OnlineApiOptions): (url: URL) => Promise<Answer> | null {
  const { online, connections, lives } = options

  async function byUser(user: string): Promise<Answer> {
    const entries = (await online.connectionsOf(user)).filter(lives)
    return { status: 200, body: { user, online: entries.length > 0, connections: entries } }
  }

  async function byConnection(connection: string, user: string | null): Promise<Answer> {
    const found = await find(connection, user)
    return found && lives(found) ? { status: 200, body: found } : nobody
  }

  async function find(connection: string, asked: string | null): Promise<Found | null> {
    const user = connections.byId(connection)?.user ?? asked
    if (user !== null) {
      const entry = await online.connection(user, connection)
      return entry && { user, ...entry }
    }
    // Its id begins with the boot of its gateway, whose users are few among all.
    const boots = await online.announced(await online.gateways())
    const home = [...boots].find(([, boot]) => connection.startsWith(`${boot}-`))
    const users = home ? await online.usersOf(home[0]) : []
    for (let at = 0; at < users.length; at += limits.onlineUsersPerAnswerMax) {
      const found = await online.locate(users.slice(at, at + limits.onlineUsersPerAnswerMax))
      for (const [name, entries] of found) {
        const entry = entries.find((one) => one.connection === connection)
        if (entry) return { user: name, ...entry }
      }
    }
    return null
  }

  async function byGateway(gateway: string): Promise<Answer> {
    const users = (await online.usersOf(gateway)).sort()
    const boot = (await online.announced([gateway])).get(gateway) ?? null
    if (boot === null && users.length === 0) return nobody
    const some = users.slice(0, limits.onlineUsersPerAnswerMax)
    const found = await online.locate(some)
    const list = some.flatMap((user) =>
      (found.get(user) ?? []).flatMap((entry) =>
        entry.gateway === gateway && lives(entry) ? [{ user, ...entry }] : [],
      ),
    )
    const more = users.length > some.length
    return { status: 200, body: { gateway, boot, users: users.length, connections: list, more } }
  }

  async function answer(kind: string, id: string, user: string | null): Promise<Answer> {
    if (!isId(id) || (user !== null && !isId(user))) return refusal(400, 'bad_id')
    try {
      if (kind === 'users') return await byUser(id)
      return kind === 'connections' ? await byConnection(id, user) : await byGateway(id)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      return refusal(503, 'unavailable')
    }
  }

  return ({ pathname, searchParams }) => {
    const [, kind, id] = PATH.exec(pathname) ?? []
    return kind === undefined || id === undefined ? null : answer(kind, id, searchParams.get('user'))
  }
}
