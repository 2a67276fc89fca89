/** The tables of docs/protocol.md and docs/operations.md, from the code they describe. `npm run docs:tables` writes them; a test holds the pages to it. */
import {
  afterDissolving,
  chatRoles,
  chatRules,
  groupRoles,
  groupRules,
  type Rule,
} from '../processors/conversation/authorisation.ts'
import { codes } from '../schemas/codes.ts'
import { clientFrames, serverFrames } from '../schemas/frames.ts'
import { limits } from '../schemas/limits.ts'
import type { CommandType } from '../schemas/records.ts'
import { clientTypeTable, exampleTable, flagTable, serverTypeTable } from './omtp-tables.ts'
import { settingsMarkdown } from './settings.ts'

interface Field {
  readonly name: string
  readonly type: unknown
}

/** A type as the tables write it: `string`, `long?`, `Item[]`. */
function typeText(type: unknown): string {
  if (typeof type === 'string') return type
  if (Array.isArray(type)) return `${typeText(type.find((branch) => branch !== 'null'))}?`
  const { type: kind, name, items } = type as { type: string; name?: string; items?: unknown }
  return kind === 'array' ? `${typeText(items)}[]` : (name ?? kind)
}

/** Records named inside frames, by name, in order of first use. */
function namedRecords(type: unknown, found: Map<string, readonly Field[]>): void {
  if (Array.isArray(type)) for (const branch of type) namedRecords(branch, found)
  if (typeof type !== 'object' || type === null || Array.isArray(type)) return
  const {
    type: kind,
    name,
    items,
    fields,
    symbols,
  } = type as {
    type: string
    name: string
    items?: unknown
    fields?: readonly Field[]
    symbols?: readonly string[]
  }
  if (kind === 'array') namedRecords(items, found)
  if (symbols)
    found.set(
      name,
      symbols.map((symbol) => ({ name: `"${symbol}"`, type: 'string' })),
    )
  if (!fields) return
  found.set(name, fields)
  for (const field of fields) namedRecords(field.type, found)
}

const fieldList = (fields: readonly Field[]): string =>
  fields
    .map(({ name, type }) => (name.startsWith('"') ? `\`${name}\`` : `\`${name}\` ${typeText(type)}`))
    .join(', ')

type Frames = Record<string, { fingerprint: Buffer; schema: { fields: readonly unknown[] } }>

function frameTable(frames: Frames): string {
  const rows = Object.entries(frames).map(
    ([name, { fingerprint, schema }]) =>
      `| \`${name}\` | ${fieldList(schema.fields as readonly Field[])} | \`${fingerprint.toString('hex')}\` |`,
  )
  return ['| type | fields | Avro fingerprint |', '|---|---|---|', ...rows].join('\n')
}

function recordTable(): string {
  const found = new Map<string, readonly Field[]>()
  for (const { schema } of Object.values({ ...clientFrames, ...serverFrames } as Frames))
    for (const field of schema.fields as readonly Field[]) namedRecords(field.type, found)
  const rows = [...found].map(([name, fields]) => `| \`${name}\` | ${fieldList(fields)} |`)
  return ['| record | fields |', '|---|---|', ...rows].join('\n')
}

function codeTable(): string {
  const rows = Object.entries(codes).map(([code, { retry, text }]) => `| \`${code}\` | ${retry} | ${text} |`)
  return ['| code | retry | meaning |', '|---|---|---|', ...rows].join('\n')
}

function limitTable(): string {
  const rows = Object.entries(limits).map(
    ([name, value]) => `| \`${name}\` | ${value.toLocaleString('en')} |`,
  )
  return ['| limit | value |', '|---|--:|', ...rows].join('\n')
}

/** Frames by the command that they become. */
const frameOf: Readonly<Record<CommandType, keyof typeof clientFrames>> = {
  SendMessage: 'send',
  EditMessage: 'edit',
  RecallMessage: 'recall',
  React: 'react',
  PinMessage: 'pin',
  CreateGroup: 'createGroup',
  AddMembers: 'addMembers',
  RemoveMembers: 'removeMembers',
  DissolveGroup: 'dissolveGroup',
  RequestJoin: 'requestJoin',
  AnswerJoin: 'answerJoin',
  SetRole: 'setRole',
  MuteMember: 'mute',
  MuteAll: 'muteAll',
  SetGroup: 'setGroup',
  Observe: 'observe',
  RequestFriend: 'requestFriend',
  AnswerFriend: 'answerFriend',
  DeleteFriend: 'deleteFriend',
  Block: 'block',
  SetSetting: 'setSetting',
  SetProfile: 'setProfile',
  MarkRead: 'markRead',
}

function ruleTable<R extends string>(
  rules: Readonly<Record<string, Rule<R>>>,
  roles: readonly R[],
  outlasting: readonly CommandType[] = [],
): string {
  const rows = Object.values(rules).map(({ commands, when, verdicts }) => {
    const outlasts = commands.every((command) => outlasting.includes(command))
    const where = outlasts ? `${when}, also once dissolved` : when
    const cells = roles.map((role) => {
      const verdict = verdicts[role]
      return verdict === true ? 'yes' : `\`${verdict}\``
    })
    return `| ${commands.map((command) => `\`${frameOf[command]}\``).join(', ')} | ${where} | ${cells.join(' | ')} |`
  })
  return [
    `| command | where | ${roles.join(' | ')} |`,
    `|---|---|${'---|'.repeat(roles.length)}`,
    ...rows,
  ].join('\n')
}

/** Tables by the name of their place in a page: `<!-- table:NAME -->` … `<!-- end -->`. */
export const tables: Readonly<Record<string, () => string>> = {
  'client-frames': () => frameTable(clientFrames),
  'server-frames': () => frameTable(serverFrames),
  records: recordTable,
  'group-rules': () => ruleTable(groupRules, groupRoles, afterDissolving),
  'chat-rules': () => ruleTable(chatRules, chatRoles),
  codes: codeTable,
  limits: limitTable,
  settings: settingsMarkdown,
  'omtp-client-types': clientTypeTable,
  'omtp-server-types': serverTypeTable,
  'omtp-flags': flagTable,
  'omtp-examples': exampleTable,
}

/** Pages with tables, under docs/. */
export const pages = ['protocol', 'operations', 'protocol/omtp'] as const

/** A page with every table in it made anew. */
export function withTables(page: string): string {
  return page.replace(/<!-- table:([a-z-]+) -->[\s\S]*?<!-- end -->/g, (_, name: string) => {
    const table = tables[name]
    if (!table) throw new Error(`there is no table ${name}`)
    return `<!-- table:${name} -->\n${table()}\n<!-- end -->`
  })
}
