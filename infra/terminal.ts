/** Tables and a progress line for terminals. */
export type Cell = string | number

const isNumeric = (cell: Cell): boolean =>
  typeof cell === 'number' || /^[\d.,\s–-]+( ?[a-zA-Z%µ/]+)?$/.test(cell)

/** Wide characters are rare in what we print; counting code points is enough. */
const widthOf = (cell: Cell): number => [...String(cell)].length

/** Columns aligned, numbers to the right, under a rule. */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const widths = header.map((name, i) => Math.max(widthOf(name), ...rows.map((row) => widthOf(row[i] ?? ''))))
  const right = header.map((_, i) => i > 0 && rows.every((row) => isNumeric(row[i] ?? '0')))
  const line = (cells: readonly Cell[]): string =>
    cells
      .map((cell, i) => {
        const space = ' '.repeat(Math.max(0, (widths[i] ?? 0) - widthOf(cell)))
        return right[i] ? space + String(cell) : String(cell) + space
      })
      .join('   ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('───')
  return [line(header), rule, ...rows.map(line)].map((text) => `  ${text}`).join('\n')
}

/** 12345 → 12,345 */
export const grouped = (n: number): string => Math.round(n).toLocaleString('en-US')
export const ms = (value: number): string =>
  Number.isNaN(value) ? '–' : value < 100 ? `${value.toFixed(1)} ms` : `${grouped(value)} ms`
export const mb = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MB`

export interface Progress {
  /** Replaces the line on a terminal; elsewhere prints a line at most every five seconds. */
  show(text: string): void
  /** Ends the line. */
  done(text?: string): void
}

const PLAIN_EVERY_MS = 5_000

export function createProgress(out: NodeJS.WriteStream, now: () => number = Date.now): Progress {
  let shownAt = Number.NEGATIVE_INFINITY
  let open = false
  const put = (text: string): void => {
    const columns = out.columns ?? 100
    out.write(`\r\x1b[2K${[...text].slice(0, columns - 1).join('')}`)
  }
  return {
    show(text) {
      if (out.isTTY) {
        put(text)
        open = true
      } else if (now() - shownAt >= PLAIN_EVERY_MS) {
        shownAt = now()
        out.write(`${text}\n`)
      }
    },
    done(text) {
      if (out.isTTY && (open || text !== undefined)) put(text ?? '')
      if (text !== undefined) out.write(out.isTTY ? '\n' : `${text}\n`)
      else if (open) out.write('\r\x1b[2K')
      open = false
    },
  }
}

/** `████████░░░░` */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width)
  return '█'.repeat(full) + '░'.repeat(width - full)
}
