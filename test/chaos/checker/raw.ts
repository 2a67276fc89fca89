/** Parses what Kafka's console consumer prints with `BytesDeserializer`, which keeps every byte: `\xHH` for what is not printable. */
import type { Raw } from './types.ts'

/** One line: `LogAppendTime:<ms> TAB Partition:<n> TAB Offset:<n> TAB <key> TAB <value>`. Throws on any other. */
export function parseLine(topic: string, line: string): Raw {
  const [time, partition, offset, key, value, ...rest] = line.split('\t')
  const number = (text: string | undefined, label: RegExp): number => {
    const found = label.exec(text ?? '')
    if (!found) throw new Error(`not a line of the console consumer: ${line.slice(0, 120)}`)
    return Number(found[1])
  }
  if (value === undefined || rest.length > 0) throw new Error(`not five fields: ${line.slice(0, 120)}`)
  return {
    topic,
    time: number(time, /^(?:LogAppendTime|CreateTime):(\d+)$/),
    partition: number(partition, /^Partition:(\d+)$/),
    offset: number(offset, /^Offset:(\d+)$/),
    key: unescaped(key ?? 'null'),
    value: unescaped(value),
  }
}

function unescaped(text: string): Buffer | null {
  if (text === 'null') return null
  const out = Buffer.allocUnsafe(text.length)
  let length = 0
  for (let i = 0; i < text.length; i++) {
    // A backslash is never printed as itself.
    if (text[i] === '\\') {
      out[length++] = Number.parseInt(text.slice(i + 2, i + 4), 16)
      i += 3
    } else out[length++] = text.charCodeAt(i)
  }
  return Buffer.from(out.subarray(0, length))
}
