/** Where a client keeps what must outlive it: how far it has come per stream, and commands that are not settled. */
import type { Range } from './ranges.ts'
import type { CommandFrame } from './wire.ts'

export interface SavedCommand {
  readonly packId: string
  /** Commands of one lane are settled in order. */
  readonly lane: string
  readonly frame: CommandFrame
}

/** What of a conversation was told or read, and up to where its recalls and edits were told. */
export interface Held {
  readonly ranges: readonly Range[]
  /** Perhaps told, by a run that ended before it could keep that. */
  readonly unkept: readonly Range[]
  readonly changesUpTo: number
  /** Events up to here were told or about to be, whether or not they were handled. */
  readonly toldUpTo: number
}

export interface Saved {
  /** Whose positions these are; those of another user are not used. */
  readonly userId: string
  /** Stream id → seq up to which everything was handled. */
  readonly positions: ReadonlyMap<string, number>
  /** By stream id. Without it, everything up to a position counts as held and as told. */
  readonly held?: ReadonlyMap<string, Held>
  /** In the order in which they were given. */
  readonly outbox: readonly SavedCommand[]
}

/** Every call may be asynchronous. One that fails is tried again with the next change; nothing is acknowledged before it is kept. */
export interface Store {
  /** Null: nothing kept yet. */
  load(): Saved | null | Promise<Saved | null>
  /** Positions that moved since the last call, and what is held of the same streams. */
  savePositions(
    userId: string,
    moved: ReadonlyMap<string, number>,
    held: ReadonlyMap<string, Held>,
  ): void | Promise<void>
  /** Before a command goes out for the first time, and when its packId is replaced. */
  putCommand(command: SavedCommand): void | Promise<void>
  removeCommand(packId: string): void | Promise<void>
}

/** Keeps everything as long as the process lives; give it to a second client to resume as the first. */
export function memoryStore(): Store {
  const positions = new Map<string, number>()
  const held = new Map<string, Held>()
  const outbox = new Map<string, SavedCommand>()
  let owner: string | null = null
  return {
    load: () =>
      owner === null
        ? null
        : {
            userId: owner,
            positions: new Map(positions),
            held: new Map(held),
            outbox: [...outbox.values()],
          },
    savePositions(userId, moved, heldOf) {
      if (owner !== userId) {
        positions.clear()
        held.clear()
      }
      owner = userId
      for (const [stream, seq] of moved) positions.set(stream, seq)
      for (const [stream, of] of heldOf) held.set(stream, of)
    },
    putCommand: (command) => void outbox.set(command.packId, command),
    removeCommand: (packId) => void outbox.delete(packId),
  }
}
