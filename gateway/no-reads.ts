/** Read models of a gateway that has none: every request is answered `unavailable`, sending and receiving go on. */
import type { ReadModels } from '../projections/reads.ts'
import { Fault } from '../schemas/ports.ts'

const refuse = (): Promise<never> =>
  Promise.reject(new Fault('unavailable', 'there are no read models', { retriable: true }))

export const noReads: ReadModels = {
  heads: refuse,
  conversations: refuse,
  history: refuse,
  sync: refuse,
  lookup: refuse,
  headOf: refuse,
}
