/** Tells from the running numbers of deliveries whether some were lost. Pure apart from its own memory. */

/** A fan-out that lost its partition may still write a little; more instances than this are long gone. */
const INSTANCES_MAX = 4

export interface Gaps {
  /** True: pushes may have been lost before this delivery. */
  note(partition: number, instance: string, counter: number): boolean
}

export function createGaps(): Gaps {
  const seen = new Map<number, Map<string, number>>()
  return {
    note(partition, instance, counter) {
      const instances = seen.get(partition)
      if (!instances) {
        // The first of this partition since the gateway started: its connections read heads anyway.
        seen.set(partition, new Map([[instance, counter]]))
        return false
      }
      const last = instances.get(instance)
      if (last !== undefined && counter <= last) return false
      // Set anew, so that the order of the map is that of use.
      instances.delete(instance)
      instances.set(instance, counter)
      if (instances.size > INSTANCES_MAX) {
        const oldest = instances.keys().next()
        if (!oldest.done) instances.delete(oldest.value)
      }
      return last === undefined || counter !== last + 1
    },
  }
}
