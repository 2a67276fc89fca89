/** What the run and a crowd tell each other. */
import type { CrowdName } from '../settings.ts'

export interface CrowdConfig {
  readonly name: CrowdName
  readonly urls: readonly string[]
  readonly omtpPorts: readonly number[]
  /** user → token */
  readonly tokens: Readonly<Record<string, string>>
  readonly seed: number
}

export interface CrowdStats {
  /** Logins that got their welcome. */
  readonly logins: number
  /** Connections that the crowd ended. */
  readonly dropped: number
  /** Connections that were found closed by the gateway, and those among them that were told it as slow. */
  readonly closed: number
  readonly told: number
  /** Broken frames sent. */
  readonly broken: number
}
