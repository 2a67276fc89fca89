import type { Stage } from '../stage.ts'

/** One scene. Resolves to what was seen, which must be the same on every transport; rejects with what is wrong. */
export interface Case {
  readonly name: string
  run(stage: Stage): Promise<unknown>
}
