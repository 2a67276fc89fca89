/**
 * `node test/golden/omtp/write.ts`: writes a golden frame for each type that has none yet. What is there stays as it is: these bytes
 * stand for clients that are out in the world.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { type ClientFrame, clientFrames, type ServerFrame, serverFrames } from '../../../schemas/frames.ts'
import { payloadEncodings } from '../../../schemas/omtp/header.ts'
import { framesOf } from '../../support/any-frame.ts'
import { bytesOf, type Golden, golden, goldenFile, type Side } from './golden.ts'

const PACK_ID = '01a1fc24-b54a-75f3-b771-e4905f3d577a'
const choose = (name: string, type: 'string' | 'long') =>
  name === 'packId'
    ? fc.constant(PACK_ID)
    : type === 'long'
      ? fc.constantFrom(1, 300, 70_000, 1_800_000_000_000)
      : name === 'content'
        ? fc.constant('{"text":"grüße 👋"}')
        : fc.constantFrom(name, `${name} <&> ü`, '')

function newFrames(side: Side, known: ReadonlySet<string>): Golden[] {
  const table = side === 'client' ? clientFrames : serverFrames
  return Object.entries(table)
    .filter(([type]) => !known.has(type))
    .flatMap(([type, of]) =>
      fc
        .sample(framesOf<ClientFrame | ServerFrame>({ [type]: of }, choose), { numRuns: 2, seed: 1 })
        .map((frame) => ({ side, frame: JSON.parse(JSON.stringify(frame)) as never, hex: {} as never })),
    )
}

const old = existsSync(goldenFile) ? golden() : []
const known = new Set(old.map(({ frame }) => frame.type))
const added = [...newFrames('client', known), ...newFrames('server', known)].map((one) => ({
  ...one,
  hex: Object.fromEntries(
    payloadEncodings.map((encoding) => [encoding, bytesOf(one, encoding).toString('hex')]),
  ),
}))
writeFileSync(goldenFile, `${[...old, ...added].map((one) => JSON.stringify(one)).join('\n')}\n`)
process.stdout.write(
  `${added.length} new golden frames, ${readFileSync(goldenFile, 'utf8').trim().split('\n').length} in all\n`,
)
