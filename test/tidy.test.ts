/** The rules of the repository that no compiler knows. Each failure names the file. */
import { describe, expect, test } from 'vitest'
import { metricTable } from '../infra/metrics.ts'
import { codes } from '../schemas/codes.ts'
import { limits } from '../schemas/limits.ts'
import { topics } from '../schemas/topics.ts'
import { type SourceFile, sourceFiles } from './support/source-files.ts'

const all = sourceFiles()
const folderOf = (path: string) => path.split('/')[0] ?? ''
const isMain = (path: string) =>
  /(^|\/)main\.ts$/.test(path) || ['infra/start.ts', 'infra/token.ts'].includes(path)
const PRODUCT = ['schemas', 'processors', 'projections', 'infra', 'gateway', 'client', 'web']
const product = all.filter(({ path }) => PRODUCT.includes(folderOf(path)))
const without = (...paths: string[]) => product.filter(({ path }) => !paths.includes(path))

/** Paths of the files in which something is found, with what. */
const findings = (files: readonly SourceFile[], look: (file: SourceFile) => string[]) =>
  files.flatMap((file) => look(file).map((what) => `${file.path}: ${what}`))
const matches = (pattern: RegExp) => (file: SourceFile) =>
  [...file.code.matchAll(pattern)].map(([what]) => what.trim())

describe('imports point inward', () => {
  /** What a folder may import besides itself; its mains are composition roots and may import anything but gateway, client or web. */
  const may: Record<string, readonly string[]> = {
    schemas: [],
    processors: ['schemas'],
    projections: ['schemas', 'processors'],
    infra: ['schemas', 'processors', 'projections'],
    gateway: ['schemas', 'infra', 'projections'],
    client: ['schemas'],
    web: ['client', 'schemas'],
  }
  const mayMain = ['schemas', 'processors', 'projections', 'infra', 'gateway']

  test.each(Object.keys(may))('%s', (folder) => {
    const wrong = findings(
      product.filter(({ path }) => folderOf(path) === folder),
      ({ path, imports }) => {
        const allowed = [folder, ...(isMain(path) ? mayMain : []), ...(may[folder] ?? [])]
        return imports
          .filter(
            ({ ours, from, typeOnly }) =>
              ours && !allowed.includes(folderOf(from)) && !isPort(path, from, typeOnly),
          )
          .map(({ from }) => from)
      },
    )
    expect(wrong).toEqual([])
  })

  /** Types of a port may be named by whoever implements or is handed it. */
  function isPort(path: string, from: string, typeOnly: boolean): boolean {
    return typeOnly && folderOf(path) === 'gateway' && /(^|\/)ports\.ts$/.test(from)
  }

  test('the product never imports tests or the bench', () => {
    const wrong = findings(product, ({ imports }) =>
      imports.filter(({ ours, from }) => ours && /^(test|bench)\//.test(from)).map(({ from }) => from),
    )
    expect(wrong).toEqual([])
  })

  test('a browser gets no Avro unless it asks: what the client loads at once never reaches avsc', () => {
    const byPath = new Map(all.map((file) => [file.path, file]))
    const isLazy = (path: string) => path === 'client/codec-avro.ts' || path.startsWith('client/node/')
    const reached = new Map<string, string>([['client/index.ts', '']])
    for (const [path, by] of reached)
      for (const { from, ours, typeOnly } of byPath.get(path)?.imports ?? []) {
        if (typeOnly || isLazy(from) || reached.has(from)) continue
        if (ours || from === 'avsc') reached.set(from, `${by} ${path}`)
      }
    expect(reached.get('avsc')).toBeUndefined()
  })

  test('the client needs nothing of Node but in the folder that is for Node, which it loads only when asked', () => {
    const portable = product.filter(
      ({ path }) => /^(client|web)\//.test(path) && !/^(web\/build\.ts$|client\/node\/)/.test(path),
    )
    // What is imported by a call in the code is no import at load.
    const loading = findings(portable, ({ code }) =>
      [...code.matchAll(/^(?:import|export)\b(?! type)[^\n]*from '\.{1,2}\/(?:client\/)?node\//gm)].map(
        ([what]) => what,
      ),
    )
    expect(loading).toEqual([])
    const wrong = findings(portable, ({ imports }) =>
      imports.filter(({ from, typeOnly }) => from.startsWith('node:') && !typeOnly).map(({ from }) => from),
    )
    expect(wrong).toEqual([])
  })
})

describe('third-party clients', () => {
  test.each<[string, RegExp]>([
    ['kafkajs', /^infra\/kafka\//],
    ['ioredis', /^infra\/redis\//],
    ['@clickhouse/client', /^infra\/clickhouse\//],
    ['chdb', /^infra\/embedded\//],
    ['uWebSockets.js', /^gateway\/transports\//],
    ['avsc', /^schemas\/avro\.ts$/],
    ['protobufjs/minimal.js', /^schemas\/omtp\/protobuf\.ts$/],
    ['saxes', /^schemas\/omtp\/xml\.ts$/],
    ['pino', /^infra\/log\.ts$/],
    ['prom-client', /^infra\/metrics\.ts$/],
    ['jose', /^gateway\/tokens\//],
    ['zod', /^(infra\/(config|settings|setting-forms)\.ts|gateway\/(content|values)\.ts|gateway\/api\/.*)$/],
  ])('%s is imported in its one place', (name, place) => {
    const importers = product.filter(({ imports }) =>
      imports.some(({ from, typeOnly }) => from === name && !typeOnly),
    )
    expect(importers.map(({ path }) => path).filter((path) => !place.test(path))).toEqual([])
  })
})

describe('the pure parts', () => {
  /** Decide from what they are given: no clock, no randomness, no waiting. */
  const PURE = [
    /^schemas\/(?!ports\.ts)/,
    /^processors\/[^/]+\.ts$/,
    /^processors\/(conversation|user)\//,
    /^processors\/sequencer\/owner\.ts$/,
    /^processors\/fanout\/(plan|route|roster)\.ts$/,
    /^projections\/[^/]+\/(project|membership|unread|element|scripts|forgetting)\.ts$/,
    /^projections\/reads\/(page|policy|cursor)\.ts$/,
    /^projections\/content-keys\/(ring|destroy|freshness)\.ts$/,
    /^gateway\/(session(-types|-open|-answers|-room)?|room|gate|devices|push|outbox|bucket|gaps|wheel|channel|command-(of|payload)|requests|refusal|values|content|bounds|close-codes|frames\/(omtp\/)?[^/]+)\.ts$/,
    /^gateway\/(login-answer|allowances|quotas|tokens\/(verdict|header|keys|revocations))\.ts$/,
    /^gateway\/transports\/poll-(queue|body)\.ts$/,
    /^client\/(outbox|ranges|conversation-log|messages|own-item|backoff)\.ts$/,
  ]
  const SHELLS = ['processors/main.ts', 'processors/feed.ts', 'processors/restore.ts']
  const pure = product.filter(({ path }) => PURE.some((place) => place.test(path)) && !SHELLS.includes(path))

  test('are there', () => {
    for (const place of PURE)
      expect(
        pure.some(({ path }) => place.test(path)),
        String(place),
      ).toBe(true)
  })

  test('know no clock, no randomness, no process', () => {
    const forbidden =
      /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval|setImmediate|queueMicrotask|randomUUID|randomBytes|getRandomValues|process\.[a-z]+)\b/g
    expect(findings(pure, matches(forbidden))).toEqual([])
  })

  test('wait for nothing', () => {
    expect(findings(pure, matches(/\bawait\b|\basync\b|\bnew Promise\b/g))).toEqual([])
  })

  test('of the shells, only the roots touch the clock and the chance of the machine: the others are handed them', () => {
    const roots = ['gateway/main.ts', 'client/index.ts', 'client/timers.ts', 'gateway/tokens/mint.ts']
    const shells = without(...roots).filter(({ path }) =>
      /^(processors|projections|gateway|client)\//.test(path),
    )
    const forbidden = /\b(Date\.now|Math\.random|performance\.now|setTimeout|setInterval)\b/g
    expect(findings(shells, matches(forbidden))).toEqual([])
  })
})

describe('every entry of a table is used', () => {
  const textOf = (files: readonly SourceFile[]) => files.map(({ code }) => code).join('\n')

  test('topics, which nothing else names', () => {
    const rest = without('schemas/topics.ts')
    const used = textOf(rest)
    for (const name of Object.keys(topics)) expect(used.includes(`topics.${name}`), name).toBe(true)
    expect(findings(rest, matches(/(['"])im\.[a-z.-]+\1|`im\.[a-z.-]+\$\{/g))).toEqual([])
  })

  test('limits', () => {
    const used = textOf(without('schemas/limits.ts'))
    const unused = Object.keys(limits).filter((name) => !new RegExp(`\\b${name}\\b`).test(used))
    expect(unused).toEqual([])
  })

  test('codes', () => {
    const used = textOf(without('schemas/codes.ts'))
    const unused = Object.keys(codes).filter((name) => !new RegExp(`['"\`]${name}['"\`]`).test(used))
    expect(unused).toEqual([])
  })

  test('metrics', () => {
    const used = textOf(without('infra/metrics.ts'))
    const unused = Object.keys(metricTable).filter((name) => !used.includes(`'${name}'`))
    expect(unused).toEqual([])
  })
})

describe('files', () => {
  test('of code are at most 400 lines long, of tests 500', () => {
    const long = all.filter(({ path, text }) => text.split('\n').length > (/^test\//.test(path) ? 501 : 401))
    expect(long.map(({ path }) => path)).toEqual([])
  })

  test('hold no `any`, no enum, no namespace and no parameter properties', () => {
    const forbidden =
      /(:|<|\bas)\s*any\b(?!\s*[:=(])|^\s*(export\s+)?(const\s+)?enum\s|^\s*(export\s+)?namespace\s+[\w.]+\s*\{|constructor\((private|public|protected|readonly)\b/gm
    expect(findings(all, matches(forbidden))).toEqual([])
  })

  test('of the product make no classes but errors', () => {
    const wrong = findings(
      product,
      matches(/^\s*(export\s+)?(abstract\s+)?class\s+\w+(?!\w)(?!\s+extends\s+\w*Error\b).*$/gm),
    )
    expect(wrong).toEqual([])
  })

  test('of the product write to the log, not to the console, but for commands and the engine’s own process', () => {
    const spoken = [
      'infra/token.ts',
      'infra/print-settings.ts',
      'infra/tool.ts',
      'infra/embedded/chdb-server.ts',
      'web/build.ts',
    ]
    const silent = without(...spoken).filter(({ path }) => !/^projections\/[^/]+\/main\.ts$/.test(path))
    expect(findings(silent, matches(/\bconsole\.\w+/g))).toEqual([])
  })

  test('name no place of one machine', () => {
    const everything = sourceFiles(['.ts', '.md', '.json', '.html', '.css', '.avsc', '.yml', '.yaml'])
    const forbidden = new RegExp(
      `${['/wo', 'rk/'].join('')}|${['/tm', 'p/lw'].join('')}|/home/\\w+|/Users/\\w+|${['"resol', 'ved":'].join('')}`,
      'g',
    )
    expect(
      findings(everything, ({ path, text }) =>
        (text.match(forbidden) ?? []).map((what) => `${path} ${what}`),
      ),
    ).toEqual([])
  })

  test('of tests skip nothing and single nothing out', () => {
    const forbidden = /\b(test|it|describe)(\.each)?\.(skip|only|todo|fails)\b/g
    expect(
      findings(
        all.filter(({ path }) => path.startsWith('test/')),
        matches(forbidden),
      ),
    ).toEqual([])
  })

  test('are named in kebab-case', () => {
    expect(
      all
        .map(({ path }) => path)
        .filter((path) => !/^[a-z0-9-]+(\/[a-z0-9-]+)*(\.(test|config))?\.ts$/.test(path)),
    ).toEqual([])
  })
})
