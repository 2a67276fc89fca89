/** A trace in one screen: every hop with its time, and how long after the command's broker time it was. */
import { oneLine } from '../at/text.ts'
import type { Ledger } from './ledger.ts'
import type { Trace } from './trace.ts'

type Table = (header: readonly string[], rows: readonly (readonly (string | number)[])[]) => string

interface Hop {
  readonly name: string
  readonly time: number | null
  readonly where: string
}

export function traceText(table: Table, trace: Trace): string {
  const [first] = trace.ways
  const base = first?.record.time ?? trace.open[0]?.time ?? trace.madeAt
  const hops: Hop[] = [
    { name: 'made', time: trace.madeAt, where: 'by the client, as its packId says' },
    ...hopsOf(trace),
    ...trace.changes.map(
      ({ kind, seq, by, time }): Hop => ({ name: kind, time, where: `seq ${seq} by ${by}` }),
    ),
  ]
  const rows = hops.map(({ name, time, where }) => [
    name,
    time === null ? '' : new Date(time).toISOString().slice(11),
    time === null ? '' : after(time - base),
    oneLine(where),
  ])
  const record = first?.record
  const title = record
    ? `${record.stream}${record.kind === 'event' ? ` seq ${record.seq}, ordinal ${record.ordinal}` : ''}: ${record.type} by ${record.sender}${record.code ? ` (${record.code})` : ''}${record.content ? `, ${record.content}` : ''}`
    : 'a command that was not answered yet'
  const day = new Date(base).toISOString().slice(0, 10)
  return [
    `  ${trace.packId}   ${oneLine(title)}`,
    '',
    table(['hop', `${day}, UTC`, 'after', 'where'], rows),
    ...(record?.kind === 'event' ? ['', ...deliveries(table, trace.ledger, base)] : []),
  ].join('\n')
}

function hopsOf({ ways, open, ledger }: Trace): Hop[] {
  const hops: Hop[] = []
  const sent = ledger?.sent
  if (sent)
    hops.push({
      name: 'received',
      time: sent.receivedAt,
      where: `gateway ${sent.gateway}, ${sent.transport}, connection ${sent.connection}`,
    })
  for (const [i, { command, record }] of ways.entries()) {
    const again = i === 0 ? '' : ' (again)'
    if (command) hops.push(commandHop(command, again))
    else
      hops.push({
        name: `command${again}`,
        time: record.time,
        where: `im.commands ${record.partition}: no longer kept, or of an earlier generation`,
      })
    if (sent && i === 0)
      hops.push({ name: 'accepted', time: sent.acceptedAt, where: 'told to the sender: it is in the log' })
    const answer =
      record.kind === 'event'
        ? `event, seq ${record.seq}`
        : record.kind === 'repeat'
          ? 'repeat of the first answer'
          : `rejection ${record.code ?? ''}`
    hops.push({
      name: `record${again}`,
      time: record.appended,
      where: `im.events ${record.partition}/${record.offset}, generation ${record.generation}, epoch ${record.epoch}, source ${record.source}: ${answer}`,
    })
    hops.push({ name: `archive${again}`, time: null, where: archivedText(record.archived, record) })
    if (sent && i === 0) hops.push({ name: 'committed', time: sent.committedAt, where: 'told to the sender' })
  }
  for (const command of open) {
    hops.push(commandHop(command, ''))
    hops.push({ name: 'record', time: null, where: 'none yet: does a sequencer run?' })
  }
  return hops
}

const commandHop = (command: Trace['open'][number], again: string): Hop => {
  const { partition, offset, bytes, reply, device, trace, time } = command
  const from = reply ? `gateway ${reply.gateway}, connection ${reply.connection}` : 'no gateway'
  return {
    name: `command${again}`,
    time,
    where: `im.commands ${partition}/${offset}, ${bytes} bytes, ${from}, device ${device}${trace ? `, trace ${trace}` : ''}`,
  }
}

function archivedText(
  archived: Trace['ways'][number]['record']['archived'],
  { partition, source }: Trace['ways'][number]['record'],
): string {
  switch (archived) {
    case null:
      return 'not in it yet'
    case 'same bytes':
      return `events ${partition}, source ${source}: the bytes of the log`
    case 'other bytes':
      return `events ${partition}, source ${source}: OTHER bytes than the log; run npm run verify`
    case 'not compared':
      return `events ${partition}, source ${source}; the log no longer holds its copy there`
  }
}

function deliveries(table: Table, ledger: Ledger | null, base: number): string[] {
  if (ledger === null)
    return ['  deliveries: this archive has no ledger yet; start the projections of this release']
  const { devices, acked, deliveries: rows } = ledger
  if (devices === 0)
    return [
      '  deliveries: none in the ledger (nobody else was online, LONGWIRE_LEDGER leaves it out, or it is still on its way)',
    ]
  const shown = rows.map((row) => [
    ...[row.user, `${row.device} (${row.deviceType})`, `${row.gateway} ${row.transport}`],
    ...[after(row.fannedAt - base), after(row.pushedAt - base)],
    row.ackedAt === null ? `no${row.ended === '' ? '' : ` (${row.ended})`}` : after(row.ackedAt - base),
    row.resends,
  ])
  const title = `  ${devices} devices, ${acked} acknowledged${devices > rows.length ? `; the ${rows.length} slowest` : ''}`
  return [title, '', table(['user', 'device', 'gateway', 'fanned out', 'pushed', 'acked', 'resent'], shown)]
}

const after = (ms: number): string => `${ms >= 0 ? '+' : '−'}${Math.abs(ms).toLocaleString('en-US')} ms`
