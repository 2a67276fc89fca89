/** The commands of im.commands, and each accepted record against the one that it names. */
import { type Accepted, packIdText } from './accept.ts'
import type { Schemas } from './avro.ts'
import type { Find, Raw } from './types.ts'

export interface Asked {
  readonly byOffset: Map<number, { stream: string; sender: string; packId: string; content: Buffer | null }>
  /** Offsets of rubbish that the run itself put there. */
  readonly rubbish: Set<number>
  end: number
}

export function readCommands(
  schemas: Schemas,
  commands: readonly Raw[],
  poison: ReadonlySet<string>,
  find: Find,
): Map<number, Asked> {
  const asked = new Map<number, Asked>()
  for (const record of commands) {
    const at = asked.get(record.partition) ?? { byOffset: new Map(), rubbish: new Set(), end: 0 }
    asked.set(record.partition, at)
    at.end = Math.max(at.end, record.offset + 1)
    if (poison.has(`im.commands ${record.partition}/${record.offset}`)) {
      at.rubbish.add(record.offset)
      continue
    }
    try {
      if (!record.value) throw new Error('no value')
      const { row } = schemas.open(record.value)
      const body = schemas.body(row.schema as Buffer, row.payload as Buffer)
      at.byOffset.set(record.offset, {
        stream: String(row.stream),
        sender: String(row.sender),
        packId: packIdText(row.packId as Buffer),
        content: (body.row.content as Buffer | undefined) ?? null,
      })
    } catch (error) {
      find('undecodable', `im.commands ${record.partition}/${record.offset}: ${String(error)}`)
    }
  }
  return asked
}

/** True: it answers rubbish, by a refusal as it should. */
export function answersRubbish(asked: Map<number, Asked>, record: Accepted, find: Find): boolean {
  if (asked.get(record.partition)?.rubbish.has(record.source) !== true) return false
  const { kind, row } = record
  if (kind !== 'rejection' || (row.code !== 'undecodable' && row.code !== 'bad_id'))
    find('altered', `im.events ${record.partition}/${record.offset}: rubbish became ${kind} ${row.code}`)
  return true
}

export function compareWithCommand(asked: Map<number, Asked>, record: Accepted, find: Find): void {
  const command = asked.get(record.partition)?.byOffset.get(record.source)
  const place = `im.events ${record.partition}/${record.offset}`
  if (!command) {
    find('unanswered', `${place} answers source ${record.source}, which does not exist`)
    return
  }
  const same =
    command.stream === record.stream && command.sender === record.sender && command.packId === record.packId
  if (!same) {
    find('altered', `${place}: not the command at source ${record.source}`)
    return
  }
  if (record.type !== 'MessageSent' && record.type !== 'MessageEdited') return
  if (!command.content?.equals(record.row.content as Buffer))
    find('altered', `${place}: content differs from the command's`)
}
