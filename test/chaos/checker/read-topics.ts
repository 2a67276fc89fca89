/** Reads topics with Kafka's own console consumer and asks Kafka's own tool where they end: no client of ours is involved. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { parseLine } from './raw.ts'
import type { Raw } from './types.ts'

export interface Tools {
  /** Folder with the jars of kafka-tools. */
  readonly lib: string
  readonly brokers: string
}

const deadlineMs = 300_000

/** Every record of a topic, in the order of partitions and offsets. Throws when not all of them were read. */
export async function readTopic(tools: Tools, topic: string): Promise<Raw[]> {
  const [begins, ends] = await Promise.all([
    offsets(tools, topic, 'earliest'),
    offsets(tools, topic, 'latest'),
  ])
  let wanted = 0
  for (const [partition, end] of ends) wanted += end - (begins.get(partition) ?? 0)
  if (wanted === 0) return []
  const records: Raw[] = []
  const args = ['--topic', topic, '--from-beginning', '--timeout-ms', '60000']
  for (const property of ['timestamp', 'partition', 'offset', 'key'])
    args.push('--property', `print.${property}=true`)
  for (const side of ['key', 'value'])
    args.push('--property', `${side}.deserializer=org.apache.kafka.common.serialization.BytesDeserializer`)
  args.push('--max-messages', String(wanted))
  await java(tools, 'org.apache.kafka.tools.consumer.ConsoleConsumer', args, (line) => {
    if (line !== '') records.push(parseLine(topic, line))
  })
  if (records.length !== wanted) throw new Error(`${topic}: ${records.length} of ${wanted} records were read`)
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

/** Of every topic that fits the expression: records between first and last offset, summed over partitions. */
export async function topicSizes(tools: Tools, expression: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>()
  await java(
    tools,
    'org.apache.kafka.tools.GetOffsetShell',
    ['--topic', expression, '--time', 'latest'],
    (line) => {
      const [topic, , offset] = line.split(':')
      if (topic && offset) sizes.set(topic, (sizes.get(topic) ?? 0) + Number(offset))
    },
  )
  return sizes
}

async function offsets(
  tools: Tools,
  topic: string,
  time: 'earliest' | 'latest',
): Promise<Map<number, number>> {
  const found = new Map<number, number>()
  await java(tools, 'org.apache.kafka.tools.GetOffsetShell', ['--topic', topic, '--time', time], (line) => {
    const [name, partition, offset] = line.split(':')
    if (name === topic && offset) found.set(Number(partition), Number(offset))
  })
  if (found.size === 0) throw new Error(`there is no topic ${topic}`)
  return found
}

function java(
  tools: Tools,
  main: string,
  args: readonly string[],
  line: (text: string) => void,
): Promise<void> {
  const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${tools.lib}/*`]
  const child = spawn('java', [...jvm, main, '--bootstrap-server', tools.brokers, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-2_000)
  })
  let broken: unknown
  const lines = createInterface({ input: child.stdout, crlfDelay: Infinity })
  lines.on('line', (text) => {
    try {
      line(text)
    } catch (error) {
      broken ??= error
    }
  })
  const drained = new Promise((resolve) => lines.once('close', resolve))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', async (code) => {
      await drained
      if (broken) reject(broken)
      else if (code === 0) resolve()
      else reject(new Error(`${main} ended with code ${code}: ${errors}`))
    })
  })
}
