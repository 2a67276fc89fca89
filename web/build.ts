/** Builds the page into web/dist. */
import { cp, mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Resolves to the folder that a gateway serves. Rejects where the source does not bundle. */
export async function buildWeb(): Promise<string> {
  const out = here('./dist')
  await mkdir(out, { recursive: true })
  await build({
    entryPoints: { app: here('./main.ts'), style: here('./styles/main.css') },
    outdir: out,
    bundle: true,
    format: 'esm',
    target: 'es2023',
    minify: true,
    // Avro and OMTP are for Node: the page speaks JSON, and avsc stays out of it.
    external: ['./codec-avro.ts', './node/*'],
    logLevel: 'silent',
  })
  for (const file of ['index.html', 'favicon.svg']) await cp(here(`./${file}`), here(`./dist/${file}`))
  return out
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${await buildWeb()}\n`)
