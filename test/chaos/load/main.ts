/** The load: a process of its own that knows the platform through the SDK only. Told what to do over IPC. */
import { readFileSync } from 'node:fs'
import { exitWithParent } from '../../../infra/lifecycle.ts'
import { openHistory } from '../history.ts'
import { userName } from '../settings.ts'
import { type Device, openDevice } from './device.ts'
import { finalRead } from './final-read.ts'
import { prepareGroups } from './groups.ts'
import type { FromLoad, LoadConfig, LoadStats, ToLoad } from './protocol.ts'
import { createTraffic, type Traffic } from './traffic.ts'

const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LoadConfig
const history = openHistory(config.historyFile, 'load')
const tell = (message: FromLoad) => void process.send?.(message)
const statsEveryMs = 500
const connectMsMax = 30_000

exitWithParent(() => process.exit(1))

let traffic: Traffic | null = null
const arrived: Device[] = []
const devices = await openDevices()
tell({ kind: 'connected', devices: devices.length })
const reporting = setInterval(() => tell({ kind: 'stats', stats: stats() }), statsEveryMs)

process.on('message', (message: ToLoad) => void obey(message))

/** Every third user has a second device; about half of all begin at each gateway. */
function openDevices(): Promise<Device[]> {
  const opening: Promise<Device>[] = []
  for (let i = 0; i < config.users; i++)
    for (let d = 1; d <= (i % 3 === 0 ? 2 : 1); d++) opening.push(open(userName(i), `d${d}`))
  return Promise.all(opening)
}

function open(user: string, deviceId: string): Promise<Device> {
  return openDevice({
    ...{ user, deviceId, urls: config.urls, token: config.tokens[user] ?? '', history },
    headlessUntilMs: config.awayFromMs === 0 ? 0 : config.awayFromMs + connectMsMax,
    received: (device, message) => traffic?.received(device, message),
  })
}

function speak(): void {
  for (const device of arrived.splice(0)) {
    const to = userName(devices.length % config.users)
    devices.push(device)
    void device.send({ to })
  }
}

async function obey(message: ToLoad): Promise<void> {
  if (message.kind === 'begin') {
    const groups = await prepareGroups(devices, config.groups, config.seed)
    traffic = createTraffic({ ...config, devices }, groups)
    traffic.start()
    tell({ kind: 'begun' })
  } else if (message.kind === 'arrive') {
    arrived.push(...(await Promise.all(message.users.map((user) => open(user, 'd1')))))
    tell({ kind: 'arrived' })
  } else if (message.kind === 'speak') speak()
  else if (message.kind === 'quiet') traffic?.stop()
  else if (message.kind === 'final-read') {
    const errors = await finalRead({
      ...{ urls: config.urls, tokens: config.tokens, history, msMax: message.msMax },
      samples: traffic?.samples() ?? [],
      devices: devices.map(({ user, name, seen }) => ({ user, name, conversations: [...seen.keys()] })),
    })
    tell({ kind: 'read', errors })
  } else {
    clearInterval(reporting)
    await Promise.all(devices.map((device) => device.close()))
    await history.close()
    process.exit(0)
  }
}

function stats(): LoadStats {
  const sum = { attempts: 0, ok: 0, fail: 0, received: 0 }
  const more = { reconnects: 0, resends: 0, duplicates: 0, gapsHealed: 0, jumps: 0 }
  let pending = 0
  let online = 0
  for (const device of devices) {
    const { totals } = device
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += totals[key]
    for (const key of Object.keys(more) as (keyof typeof more)[]) more[key] += totals[key]
    pending += device.pending
    online += device.online ? 1 : 0
  }
  return { ...sum, ...more, pending, online, devices: devices.length, lacking: traffic?.lacking() ?? 0 }
}
