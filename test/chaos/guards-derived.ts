/** Whether the faults of what is built from the log were seen to bite. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { refusalCodes } from '../support/clickhouse-refusals.ts'
import type { Verdict } from './checker/check.ts'
import type { Bites } from './nemesis.ts'
import type { Failpoints } from './report.ts'
import { type RoleKind, roleKinds } from './role.ts'
import type { RunSettings } from './settings.ts'
import type { Truncated } from './truncate.ts'

/** What the archive says when records that it had not read are gone. */
const alarm = 'were deleted before they were archived'
/** What a process says that had started without knowing a schema, and met it in the log. */
const learned = '"atStart":false,"msg":"learned a schema of another release"'

export function voidDerived(
  settings: RunSettings,
  bites: Bites,
  { live, archive }: Failpoints,
  logs: string,
  verdict: Verdict,
): string[] {
  const reasons: string[] = []
  const need = (right: boolean, reason: string) => void (right || reasons.push(reason))
  const { faults } = settings
  need(!faults.includes('poison') || bites.poison.length > 0, 'no rubbish was put into a topic')
  need(
    !faults.includes('clickhouse-lost') || bites.insertAnswersLost > 0,
    'no answer to an insert of ClickHouse was lost',
  )
  if (faults.includes('clickhouse-full'))
    for (const code of refusalCodes)
      need((bites.insertsRefused.get(code) ?? 0) > 0, `no insert was refused with code ${code}`)
  if (faults.includes('activity-gone')) {
    need(bites.activityDeleted > 0, 'nothing unread of im.activity was deleted')
    need(logsOf(logs, 'projection').includes(alarm), `no projection said that login records ${alarm}`)
  }
  if (faults.includes('erasures')) {
    const { ended, gone, later, seen } = verdict.erasures
    need(ended > 0, 'no erasure ended')
    need(gone > 0, 'nothing was erased that had been acknowledged before')
    need(seen > 0, 'no device saw a message that was erased')
    need(later > 0, 'nobody who was erased wrote later')
    need(bites.firstKeyKills > 0, 'no gateway was killed while first keys were made')
  }
  if (faults.includes('releases')) {
    for (const kind of roleKinds)
      need(logsOf(logs, kind).includes(learned), `no ${kind} met what another release had written`)
    const messages = verdict.model.accepted.filter(({ type }) => type === 'MessageSent')
    const newer = messages.filter(({ row }) => row.importance !== undefined).length
    need(
      newer > 0 && newer < messages.length,
      `${newer} of ${messages.length} messages are of the newer release`,
    )
  }
  if (settings.failpoints)
    need(live > 0 && archive > 0, `${live} deaths between Redis and its position, ${archive} of the archive`)
  return reasons
}

/** The gap stood in every partition, somebody said so, and there was something behind it. */
export function voidTruncated({ truncate }: RunSettings, truncated: Truncated | null): string[] {
  if (!truncate) return []
  if (!truncated) return ['im.events was not deleted: the run never came to rest']
  const { unread, alarms, behind } = truncated
  const reasons: string[] = []
  const need = (right: boolean, reason: string) => void (right || reasons.push(reason))
  need(
    unread.every((n) => n > 0),
    `deleted unread of im.events, by partition: ${unread.join(', ')}`,
  )
  for (const kind of ['projection', 'sequencer', 'fanout'] as const)
    need((alarms.get(kind) ?? 0) > 0, `no ${kind} said that im.events is truncated`)
  need(behind > 0, 'nothing was committed behind the gap')
  return reasons
}

const logsOf = (logs: string, kind: RoleKind): string =>
  readdirSync(logs)
    .filter((file) => file.startsWith(kind))
    .map((file) => readFileSync(path.join(logs, file), 'utf8'))
    .join('')
