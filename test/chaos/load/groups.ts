/** Groups and how they change: who is in, who leads, who may speak. */
import type { Client, Sent } from '../../../client/index.ts'
import { randomOf } from '../random.ts'
import type { Device } from './device.ts'
import type { Scene } from './traffic.ts'

const everyMs = 1_200
const muteMs = 2_500
const membersMin = 6

/** As the load believes it to be; the log may know better for a while. */
export interface Group {
  readonly id: string
  readonly owner: string
  readonly in: Set<string>
  readonly out: Set<string>
  readonly admins: Set<string>
  leads(user: string): boolean
}

/** Creates the groups: 10 to 20 members each, the first one the owner. */
export async function prepareGroups(
  devices: readonly Device[],
  count: number,
  seed: number,
): Promise<readonly Group[]> {
  const random = randomOf(seed ^ 0x5eed)
  const users = [...new Set(devices.map((device) => device.user))]
  const groups = await Promise.all(
    Array.from({ length: count }, async (_, i): Promise<Group> => {
      const members = random.shuffle(users).slice(0, Math.min(users.length, 10 + random.below(11)))
      const owner = members[0] ?? ''
      const device = devices.find(({ user }) => user === owner) as Device
      const created = await device.command('createGroup', undefined, (client) =>
        client.createGroup({ name: `group ${i}`, members: members.slice(1) }),
      )
      const inside = new Set(members)
      const admins = new Set<string>()
      return {
        ...{ id: created?.conversationId ?? '', owner, in: inside, admins },
        out: new Set(users.filter((user) => !inside.has(user))),
        leads: (user) => user === owner || admins.has(user),
      }
    }),
  )
  return groups.filter(({ id }) => id !== '')
}

/** One change now and then; a refusal changes nothing. */
export function createGroupChanges(scene: Scene): { everyMs: number; change(): void } {
  const { random } = scene

  const ask = async (
    user: string,
    op: string,
    { id }: Group,
    call: (client: Client) => Promise<Sent>,
  ): Promise<boolean> => {
    const device = scene.deviceOf(user)
    return device !== undefined && (await device.command(op, id, call)) !== null
  }
  const others = (group: Group): string[] => [...group.in].filter((user) => user !== group.owner)
  const one = (from: readonly string[]): string | undefined =>
    from.length === 0 ? undefined : random.pick(from)

  async function goOut(group: Group, user: string, going: Promise<boolean>): Promise<void> {
    group.in.delete(user)
    if (await going) {
      group.out.add(user)
      group.admins.delete(user)
    } else group.in.add(user)
  }
  async function comeIn(group: Group, user: string, coming: Promise<boolean>): Promise<void> {
    group.out.delete(user)
    const there = await coming
    group[there ? 'in' : 'out'].add(user)
  }

  const add = (group: Group): void => {
    const user = one([...group.out])
    const coming = (client: Client) => client.addMembers(group.id, [user ?? ''])
    if (user) void comeIn(group, user, ask(group.owner, 'addMembers', group, coming))
  }
  const join = (group: Group): void => {
    const user = one([...group.out])
    if (!user) return
    const letIn = async (): Promise<boolean> =>
      (await ask(user, 'requestJoin', group, (client) => client.requestJoin(group.id, 'let me in'))) &&
      ask(group.owner, 'answerJoin', group, (client) => client.answerJoin(group.id, user, true))
    void comeIn(group, user, letIn())
  }
  const remove = (group: Group): void => {
    const user = one(others(group))
    const going = (client: Client) => client.removeMembers(group.id, [user ?? ''])
    if (user && group.in.size > membersMin)
      void goOut(group, user, ask(group.owner, 'removeMembers', group, going))
  }
  const leave = (group: Group): void => {
    const user = one(others(group))
    if (user && group.in.size > membersMin)
      void goOut(
        group,
        user,
        ask(user, 'leave', group, (client) => client.leave(group.id)),
      )
  }
  const setRole = async (group: Group): Promise<void> => {
    const user = one(others(group))
    if (!user) return
    const role = group.admins.has(user) ? 'member' : 'admin'
    const done = await ask(group.owner, 'setRole', group, (client) => client.setRole(group.id, user, role))
    if (done && role === 'admin') group.admins.add(user)
    else if (done) group.admins.delete(user)
  }
  const mute = (group: Group): void => {
    const user = one(others(group))
    if (user) void ask(group.owner, 'mute', group, (client) => client.mute(group.id, user, muteMs))
  }
  const muteAll = (group: Group): void => {
    const set = (on: boolean) =>
      void ask(group.owner, 'muteAll', group, (client) => client.muteAll(group.id, on))
    set(true)
    scene.later(muteMs / 2, () => set(false))
  }
  const rename = (group: Group): void => {
    const name = `group ${random.below(1_000)}`
    void ask(group.owner, 'setGroup', group, (client) => client.setGroup(group.id, { name }))
  }
  const pin = (group: Group): void => {
    const seq = 1 + random.below(50)
    void ask(group.owner, 'pin', group, (client) => client.pin(group.id, seq))
  }
  // What occurs twice is twice as frequent.
  const kinds = [add, add, join, join, remove, remove, leave, setRole, mute, muteAll, rename, pin]

  return {
    everyMs,
    change() {
      if (scene.groups.length > 0) void random.pick(kinds)(random.pick(scene.groups))
    },
  }
}
