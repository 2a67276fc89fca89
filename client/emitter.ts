import type { EventName, Handlers } from './api.ts'

export interface Emitter {
  on<E extends EventName>(event: E, handler: Handlers[E]): () => void
  off<E extends EventName>(event: E, handler: Handlers[E]): void
  has(event: EventName): boolean
  /** Calls every handler; the promises that they returned, or null. */
  emit<E extends EventName>(event: E, value: Parameters<Handlers[E]>[0]): Promise<unknown>[] | null
}

type Handler = (value: never) => unknown

/** `report` gets what a handler throws: one bad handler must not stop the others, nor the client. */
export function createEmitter(report: (error: unknown) => void): Emitter {
  const handlers: { [E in EventName]?: Handler[] } = {}
  const off = (event: EventName, handler: Handler): void => {
    // A new array, since an emit may be walking over the old one.
    handlers[event] = handlers[event]?.filter((other) => other !== handler)
  }
  return {
    on(event, handler) {
      handlers[event] = [...(handlers[event] ?? []), handler as Handler]
      return () => off(event, handler as Handler)
    },
    off: (event, handler) => off(event, handler as Handler),
    has: (event) => (handlers[event]?.length ?? 0) > 0,
    emit(event, value) {
      const list = handlers[event]
      if (!list) return null
      let pending: Promise<unknown>[] | null = null
      for (const handler of list) {
        try {
          const result = handler(value as never)
          if (result instanceof Promise) {
            pending ??= []
            pending.push(result.catch(report))
          }
        } catch (error) {
          report(error)
        }
      }
      return pending
    },
  }
}
