/** The verdict over one run: raw topics, history and archive in, findings and counts out. */
import { checkArchive } from './archive.ts'
import type { Schemas } from './avro.ts'
import { type ChangeCounts, checkChanges } from './changes.ts'
import { checkDevices, type DeviceCounts } from './devices.ts'
import { checkErasures, type ErasureCounts, type Standing, textsTold } from './erasures.ts'
import type { Opener } from './keys.ts'
import { foldLog, type Model } from './log.ts'
import { checkSends, type SendCounts } from './sends.ts'
import type { ArchiveRow, Entry, Finding, Raw } from './types.ts'
import { checkUnread } from './unread.ts'

export interface Evidence {
  readonly schemas: Schemas
  readonly commands: readonly Raw[]
  readonly events: readonly Raw[]
  /** Default: contents are in clear. */
  readonly open?: Opener
  readonly deadLetters: readonly Raw[]
  readonly history: readonly Entry[]
  readonly archive: readonly ArchiveRow[]
  /** What begins a text in a store, when all was at rest: to be searched for what was erased. */
  readonly standing?: readonly Standing[]
  /** Places of the rubbish that the run put into topics, as `topic partition/offset`. */
  readonly poison?: readonly string[]
  /** Rows in the archive's tables of messages and items, under `<table> <conversation>`. */
  readonly archivedRows: ReadonlyMap<string, number>
}

export interface Verdict {
  readonly findings: readonly Finding[]
  readonly model: Model
  readonly sends: SendCounts
  readonly devices: DeviceCounts
  readonly changes: ChangeCounts
  readonly erasures: ErasureCounts
  readonly unreadCompared: number
  readonly archiveRows: number
  readonly claims: number
  readonly stale: number
}

export function check(evidence: Evidence): Verdict {
  const { schemas, commands, events, deadLetters, history, archive } = evidence
  const poison = new Set(evidence.poison)
  const told = textsTold(history)
  const said = (stream: string, seq: number) => told.get(`${stream} ${seq}`)?.hash
  const model = foldLog(schemas, commands, events, poison, evidence.open, said)
  const sends = checkSends(model, history)
  const devices = checkDevices(model, history)
  const changes = checkChanges(model, history)
  const erasures = checkErasures(model, history, told, evidence.standing ?? [])
  const unread = checkUnread(model, history)
  const archived = checkArchive(model, archive, evidence.archivedRows)
  const dead = checkDeadLetters(schemas, deadLetters, poison, model)
  const partitions = [...model.partitions.values()]
  const sum = (of: (at: (typeof partitions)[number]) => number) => partitions.reduce((n, at) => n + of(at), 0)
  return {
    findings: [
      ...model.findings,
      ...sends.findings,
      ...devices.findings,
      ...changes.findings,
      ...erasures.findings,
      ...unread.findings,
      ...archived.findings,
      ...dead,
    ],
    model,
    sends: sends.counts,
    devices: devices.counts,
    changes: changes.counts,
    erasures: erasures.counts,
    unreadCompared: unread.compared,
    archiveRows: archived.rows,
    claims: sum((at) => at.claims),
    stale: sum((at) => at.stale),
  }
}

/** Nothing but rubbish is there, and of what was put into commands and events and could not be read a copy of each. */
function checkDeadLetters(
  schemas: Schemas,
  deadLetters: readonly Raw[],
  poison: ReadonlySet<string>,
  { refusedRubbish }: Model,
): Finding[] {
  const findings: Finding[] = []
  const copied = new Set<string>()
  for (const record of deadLetters) {
    const text = deadLetterText(schemas, record)
    const place = text.split(': ')[0] ?? ''
    if (poison.has(place)) copied.add(place)
    else findings.push({ kind: 'dead-letter', detail: text })
  }
  for (const place of poison)
    if (
      /^im\.(commands|events) /.test(place) &&
      (refusedRubbish.get(place) ?? 'undecodable') === 'undecodable' &&
      !copied.has(place)
    )
      findings.push({ kind: 'dead-letter', detail: `no copy of the rubbish at ${place}` })
  return findings
}

function deadLetterText(schemas: Schemas, record: Raw): string {
  try {
    if (!record.value) return 'no value'
    const { row } = schemas.open(record.value)
    return `${row.topic} ${row.partition}/${row.offset}: ${row.reason} ${row.detail}`
  } catch (error) {
    return String(error)
  }
}
