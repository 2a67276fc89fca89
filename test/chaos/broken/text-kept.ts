/** The timeline notes a recall and leaves the text where it is. */
import { patch } from './patch.ts'

patch([
  {
    file: 'projections/timeline/scripts.ts',
    find: '      retail(target, ARGV[i + 7])\n',
    put: "      if kind ~= 'r' then retail(target, ARGV[i + 7]) end\n",
  },
])
