/** What stands on im.projections: which namespaces each projection has, and who is at work on them. */

/** By projection. No record: the one namespace ''. */
export const namespacesSchema = {
  type: 'record',
  name: 'ProjectionNamespaces',
  namespace: 'longwire',
  fields: [
    { name: 'projection', type: 'string' },
    /** The one that is read. */
    { name: 'active', type: 'string' },
    {
      name: 'namespaces',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'ProjectionNamespace',
          fields: [
            { name: 'name', type: 'string' },
            /**
             * building: by a command, not at the log's end yet. following: kept up by the projections process. retired: was active,
             * and follows on. aside: of a part of the log or of another projection, for looking at only.
             */
            {
              name: 'state',
              type: {
                type: 'enum',
                name: 'NamespaceState',
                symbols: ['building', 'following', 'retired', 'aside'],
              },
            },
            /** By the clock of who wrote it, in ms. */
            { name: 'since', type: 'long' },
            { name: 'note', type: 'string', default: '' },
          ],
        },
      },
    },
    { name: 'by', type: 'string' },
    { name: 'at', type: 'long' },
  ],
} as const

/** By projection: a lease, counted from the broker's time of the record. It holds if nobody else's held when it was written. */
export const leaseSchema = {
  type: 'record',
  name: 'ProjectionLease',
  namespace: 'longwire',
  fields: [
    { name: 'projection', type: 'string' },
    { name: 'holder', type: 'string' },
    /** What is being done, for people. */
    { name: 'what', type: 'string' },
    /** 0: given back. */
    { name: 'leaseMs', type: 'long' },
  ],
} as const
