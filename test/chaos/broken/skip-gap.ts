/** Projections whose next record is gone go on with the first that is there. */
import { patch } from './patch.ts'

patch([
  {
    file: 'projections/reader.ts',
    find: 'const { first, position } = found\n',
    put: `const { first } = found
    const position = { ...found.position, offset: Math.max(first, found.position.offset) }\n`,
  },
])
