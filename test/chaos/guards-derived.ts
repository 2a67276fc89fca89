/** Whether the faults of what is built from the log were seen to bite. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { refusalCodes } from '../support/clickhouse-refusals.ts'
import type { Bites } from './nemesis.ts'
import type { Failpoints } from './report.ts'
import type { RunSettings } from './settings.ts'

/** What the archive says when records that it had not read are gone. */
const alarm = 'were deleted before they were archived'

export function voidDerived(
  settings: RunSettings,
  bites: Bites,
  { live, archive }: Failpoints,
  logs: string,
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
    const alarmed = readdirSync(logs).some(
      (file) => file.startsWith('projection') && readFileSync(path.join(logs, file), 'utf8').includes(alarm),
    )
    need(alarmed, `no projection said that login records ${alarm}`)
  }
  if (settings.failpoints)
    need(live > 0 && archive > 0, `${live} deaths between Redis and its position, ${archive} of the archive`)
  return reasons
}
