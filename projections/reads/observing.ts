/**
 * The stores as they are for a connection whose token does not give the right to observe: what its user observes lets it in
 * nowhere. Everything that reads who may read what does so through the sources, so that no read can forget it.
 */
import type { SearchSources } from './search.ts'

export function withoutObserving(sources: SearchSources): SearchSources {
  const { live, archive, search } = sources
  return {
    ...sources,
    live: {
      ...live,
      listOf: async (user) => ({ ...(await live.listOf(user)), observed: [] }),
      factsAndReads: async (user, streams) => ({
        ...(await live.factsAndReads(user, streams)),
        observing: new Map(),
      }),
      headAndFacts: async (user, stream) => ({ ...(await live.headAndFacts(user, stream)), observing: [] }),
    },
    archive: {
      ...archive,
      facts: async (user, stream) => ({ ...(await archive.facts(user, stream)), observing: [] }),
      async factsOf(user, streams) {
        const facts = await archive.factsOf(user, streams)
        return new Map([...facts].map(([stream, of]) => [stream, { ...of, observing: [] }]))
      },
    },
    search: { ...search, candidates: (ask) => search.candidates({ ...ask, observing: false }) },
  }
}
