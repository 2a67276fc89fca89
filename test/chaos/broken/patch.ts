/**
 * Changes the text of modules while they are loaded, so that a broken build needs no flag in the product. A text that is not
 * found ends the process: a build that is not broken must not pass for one that is.
 */
import { registerHooks } from 'node:module'

export interface Edit {
  /** End of the module's path, as in `processors/screen.ts`. */
  readonly file: string
  readonly find: string
  readonly put: string
}

/** Written to the log once per edited module; a run whose logs lack it is void. */
export const patchedMark = 'chaos: patched'

export function patch(edits: readonly Edit[]): void {
  const left = new Set(edits)
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const mine = edits.filter(({ file }) => url.endsWith(`/${file}`))
      if (mine.length === 0 || loaded.source === undefined || loaded.source === null) return loaded
      let source = Buffer.from(loaded.source as Uint8Array).toString('utf8')
      if (typeof loaded.source === 'string') source = loaded.source
      for (const edit of mine) {
        const parts = source.split(edit.find)
        if (parts.length !== 2)
          throw new Error(`chaos: ${edit.file} has ${parts.length - 1} times instead of once: ${edit.find}`)
        source = parts.join(edit.put)
        left.delete(edit)
      }
      process.stderr.write(`${patchedMark} ${url.split('/').slice(-2).join('/')}\n`)
      return { ...loaded, source }
    },
  })
  // Modules are loaded within the first seconds; one that never was has moved.
  setTimeout(() => {
    for (const { file } of left) process.stderr.write(`chaos: ${file} was never loaded\n`)
    if (left.size > 0) process.exit(3)
  }, 20_000).unref()
}
