import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { EngineError } from './engine-process.ts'
import { readZipEntry } from './zip.ts'

const run = promisify(execFile)

const kafkaVersion = '4.1.0'
const redisJarVersion = '1.4.3'
const javaMajorMin = 17
const fetchDeadlineMs = 600_000

type Artifact = { readonly group: string; readonly name: string; readonly version: string }

/** Called when something that takes long begins. */
export type OnFetch = (what: string) => void

/** The folder with Kafka's jars, fetched by Maven the first time (about 50 MB). */
export async function ensureKafkaJars(enginesDir: string, onFetch: OnFetch): Promise<string> {
  await checkJava()
  return ensureJars(enginesDir, `kafka-${kafkaVersion}`, onFetch, true, [
    { group: 'org.apache.kafka', name: 'kafka_2.13', version: kafkaVersion },
    // Kafka logs through slf4j and brings no backend of its own.
    { group: 'org.apache.logging.log4j', name: 'log4j-slf4j-impl', version: '2.24.3' },
  ])
}

/** The folder with the jars of Kafka's own command line tools, for tests that must not read with a client of ours. */
export function ensureKafkaTools(enginesDir: string, onFetch: OnFetch): Promise<string> {
  return ensureJars(enginesDir, `kafka-tools-${kafkaVersion}`, onFetch, true, [
    { group: 'org.apache.kafka', name: 'kafka-tools', version: kafkaVersion },
  ])
}

/** Path of a Redis server: the one on the PATH, else the binary inside the embedded-redis jar. */
export async function ensureRedisServer(enginesDir: string, onFetch: OnFetch): Promise<string> {
  const installed = await findOnPath('redis-server')
  if (installed) return installed
  const dir = path.join(enginesDir, `redis-${redisJarVersion}`)
  const binary = path.join(dir, 'redis-server')
  if (existsSync(binary)) return binary
  const inside = redisEntry()
  if (!inside) {
    throw new EngineError(
      `no embedded Redis for ${process.platform} ${process.arch}: install redis-server, or set LONGWIRE_REDIS`,
    )
  }
  const jars = await ensureJars(enginesDir, `redis-${redisJarVersion}`, onFetch, false, [
    { group: 'com.github.codemonstur', name: 'embedded-redis', version: redisJarVersion },
  ])
  const jar = readdirSync(jars).find((file) => file.startsWith('embedded-redis'))
  const content = jar && readZipEntry(readFileSync(path.join(jars, jar)), inside)
  if (!content) throw new EngineError(`the embedded-redis jar has no ${inside}: install redis-server`)
  const temporary = `${binary}.${process.pid}`
  writeFileSync(temporary, content)
  chmodSync(temporary, 0o755)
  renameSync(temporary, binary)
  return binary
}

function redisEntry(): string | undefined {
  const names: Record<string, string> = {
    'linux/x64': 'redis-server-6.2.6-v5-linux-amd64',
    'linux/arm64': 'redis-server-6.2.7-linux-arm64',
    'darwin/x64': 'redis-server-6.2.6-v5-darwin-amd64',
    'darwin/arm64': 'redis-server-6.2.6-v5-darwin-arm64',
  }
  return names[`${process.platform}/${process.arch}`]
}

async function ensureJars(
  enginesDir: string,
  name: string,
  onFetch: OnFetch,
  transitive: boolean,
  artifacts: readonly Artifact[],
): Promise<string> {
  const dir = path.join(enginesDir, name)
  const lib = path.join(dir, 'lib')
  // The folder gets its name only when it is complete, so its presence is the mark of a finished fetch.
  if (existsSync(lib)) return lib
  if (!(await findOnPath('mvn'))) {
    throw new EngineError(
      `Maven is needed once to fetch ${name}: install it (Debian: apt-get install maven), or set the address of a running service`,
    )
  }
  onFetch(`${name} by Maven, once`)
  const temporary = path.join(enginesDir, `.${name}.${process.pid}`)
  rmSync(temporary, { recursive: true, force: true })
  mkdirSync(temporary, { recursive: true })
  writeFileSync(path.join(temporary, 'pom.xml'), pom(artifacts))
  try {
    const args = [
      '-q',
      '-B',
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      '-DoutputDirectory=lib',
    ]
    await run('mvn', transitive ? args : [...args, '-DexcludeTransitive=true'], {
      cwd: temporary,
      timeout: fetchDeadlineMs,
      maxBuffer: 16_000_000,
    })
    renameSync(temporary, dir)
  } catch (err) {
    // Another start may have finished the same fetch first.
    if (!existsSync(lib)) throw new EngineError(`cannot fetch ${name} by Maven: ${mavenReason(err)}`)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  return lib
}

function pom(artifacts: readonly Artifact[]): string {
  const dependencies = artifacts.map(
    (a) =>
      `<dependency><groupId>${a.group}</groupId><artifactId>${a.name}</artifactId><version>${a.version}</version></dependency>`,
  )
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>longwire</groupId><artifactId>engines</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('')}</dependencies></project>
`
}

function mavenReason(err: unknown): string {
  const output = String((err as { stdout?: string }).stdout ?? '')
  const line = output.split('\n').find((text) => text.includes('ERROR'))
  return (line ?? (err as Error).message).replace(/^.*ERROR\]?\s*/, '').slice(0, 400)
}

async function checkJava(): Promise<void> {
  const output = await run('java', ['-version']).then(
    ({ stderr, stdout }) => stderr + stdout,
    () => undefined,
  )
  const need = `Java ${javaMajorMin} or newer is needed for the embedded Kafka`
  const remedy =
    'install it (Debian: apt-get install openjdk-17-jre-headless), or set LONGWIRE_KAFKA to a running Kafka'
  if (output === undefined) throw new EngineError(`${need}, and there is no java on the PATH: ${remedy}`)
  const version = /version "(?:1\.)?(\d+)/.exec(output)?.[1]
  if (version !== undefined && Number(version) < javaMajorMin) {
    throw new EngineError(`${need}, and the java on the PATH is ${version}: ${remedy}`)
  }
}

async function findOnPath(command: string): Promise<string | undefined> {
  for (const dir of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(dir, command)
    if (dir !== '' && existsSync(file)) return file
  }
  return undefined
}
