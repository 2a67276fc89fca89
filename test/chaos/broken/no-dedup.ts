/** A known packId is decided again. */
import { patch } from './patch.ts'

patch([
  {
    file: 'processors/screen.ts',
    find: 'const first = answerTo(state.answers, answerKey(command.sender, command.packId))',
    put: 'const first = answerTo(state.answers, (answerKey(command.sender, command.packId), ""))',
  },
])
