import { inflateRawSync } from 'node:zlib'

const endSignature = 0x06054b50
const entrySignature = 0x02014b50
const endSize = 22

/**
 * One file out of a zip archive (a jar is one), or `undefined` if it is not in there. Only what jars use: stored or deflated, no
 * zip64. Saves the need for a JDK's `jar` or for `unzip` on the machine.
 */
export function readZipEntry(archive: Buffer, name: string): Buffer | undefined {
  let end = archive.length - endSize
  while (end >= 0 && archive.readUInt32LE(end) !== endSignature) end -= 1
  if (end < 0) throw new Error('not a zip archive')
  const count = archive.readUInt16LE(end + 10)
  let at = archive.readUInt32LE(end + 16)
  for (let i = 0; i < count; i += 1) {
    if (archive.readUInt32LE(at) !== entrySignature) throw new Error('zip directory is damaged')
    const nameLength = archive.readUInt16LE(at + 28)
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === name) return readEntry(archive, at)
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return undefined
}

function readEntry(archive: Buffer, at: number): Buffer {
  const method = archive.readUInt16LE(at + 10)
  const packedSize = archive.readUInt32LE(at + 20)
  const size = archive.readUInt32LE(at + 24)
  const header = archive.readUInt32LE(at + 42)
  // The local header has name and extra fields of its own lengths before the data.
  const data = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28)
  const packed = archive.subarray(data, data + packedSize)
  const content =
    method === 0 ? packed : method === 8 ? inflateRawSync(packed, { maxOutputLength: size }) : undefined
  if (content?.length !== size) throw new Error('zip entry is damaged')
  return content
}
