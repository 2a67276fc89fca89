/** Where a client keeps what must outlive it: how far it has come per stream, and commands that are not settled. */
import type { CommandFrame } from './wire.ts'

export interface SavedCommand {
  readonly packId: string
  /** Commands of one lane are settled in order. */
  readonly lane: string
  readonly frame: CommandFrame
}

export interface Saved {
  /** Whose positions these are; those of another user are not used. */
  readonly userId: string
  /** Stream id → seq up to which everything was handled. */
  readonly positions: ReadonlyMap<string, number>
  /** In the order in which they were given. */
  readonly outbox: readonly SavedCommand[]
}

/** Every call may be asynchronous. One that fails is tried again with the next change; nothing is acknowledged before it is kept. */
export interface Store {
  /** Null: nothing kept yet. */
  load(): Saved | null | Promise<Saved | null>
  /** Positions that moved since the last call. */
  savePositions(userId: string, moved: ReadonlyMap<string, number>): void | Promise<void>
  /** Before a command goes out for the first time, and when its packId is replaced. */
  putCommand(command: SavedCommand): void | Promise<void>
  removeCommand(packId: string): void | Promise<void>
}

/** Keeps everything as long as the process lives; give it to a second client to resume as the first. */
export function memoryStore(): Store {
  const positions = new Map<string, number>()
  const outbox = new Map<string, SavedCommand>()
  let owner: string | null = null
  return {
    load: () =>
      owner === null ? null : { userId: owner, positions: new Map(positions), outbox: [...outbox.values()] },
    savePositions(userId, moved) {
      if (owner !== userId) positions.clear()
      owner = userId
      for (const [stream, seq] of moved) positions.set(stream, seq)
    },
    putCommand: (command) => void outbox.set(command.packId, command),
    removeCommand: (packId) => void outbox.delete(packId),
  }
}
