/** Preloaded into every process of a platform: its roles become another release, and the engines stay as they are. */
if (/\b(gateway|processors|projections)\/main\.ts$/.test(process.argv[1] ?? ''))
  await import('../chaos/variants/newer-release.ts')
