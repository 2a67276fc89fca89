/**
 * The statements of a single server as a cluster wants them. Each table becomes a replicated one, `<table>_local`, and a distributed one under
 * its own name, which is what everything reads and inserts into. Pure.
 */

/** Rows of one key stand on one shard, since they replace each other, and rows of one conversation on one, since they are joined. */
const SHARD_BY = ['conversation', 'user', 'stream', 'partition', 'gateway']

const NAME = String.raw`((?:\w+\.)?\w+)`
const CREATE_DATABASE = /^CREATE DATABASE (IF NOT EXISTS )?(\w+)$/
const DROP_DATABASE = /^DROP DATABASE (IF EXISTS )?(\w+)/
const CREATE_TABLE = new RegExp(
  String.raw`^CREATE TABLE (IF NOT EXISTS )?${NAME}\s*(\([\s\S]*\))\s*ENGINE = (\w*MergeTree)(?:\(([^)]*)\))?([\s\S]*)$`,
)
const DROP_TABLE = new RegExp(`^DROP TABLE (IF EXISTS )?${NAME}`)
const CREATE_VIEW = new RegExp(
  String.raw`^(CREATE (?:OR REPLACE )?VIEW(?: IF NOT EXISTS)?) ${NAME}([\s\S]*)$`,
)
const CREATE_MATERIALIZED = new RegExp(
  String.raw`^(CREATE MATERIALIZED VIEW(?: IF NOT EXISTS)?) ${NAME} (TO [\s\S]* FROM )(\w+)([\s\S]*)$`,
)
const OPTIMIZE_TABLE = new RegExp(String.raw`^OPTIMIZE TABLE ${NAME}([\s\S]*)$`)
const ALTER_TABLE = new RegExp(String.raw`^ALTER TABLE ${NAME}([\s\S]*)$`)
const KEEPER_PATH = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"

/** What is to be run instead of `statement`, in order; what is no definition stays as it is. */
export function onCluster(statement: string, cluster: string): readonly string[] {
  const sql = statement.trim()
  const on = `ON CLUSTER '${cluster}'`
  const database = CREATE_DATABASE.exec(sql)
  if (database) return [`CREATE DATABASE ${database[1] ?? ''}${database[2]} ${on}`]
  const dropped = DROP_DATABASE.exec(sql)
  if (dropped) return [`DROP DATABASE ${dropped[1] ?? ''}${dropped[2]} ${on} SYNC`]
  const table = CREATE_TABLE.exec(sql)
  if (table) return tablesOf(table, cluster, on)
  const gone = DROP_TABLE.exec(sql)
  if (gone) return ['', '_local'].map((suffix) => `DROP TABLE IF EXISTS ${gone[2]}${suffix} ${on} SYNC`)
  const materialized = CREATE_MATERIALIZED.exec(sql)
  if (materialized) {
    const [, create, name, to, from, rest] = materialized
    return [`${create} ${name} ${on} ${to}${from}_local${rest}`]
  }
  const view = CREATE_VIEW.exec(sql)
  if (view) return [`${view[1]} ${view[2]} ${on}${view[3]}`]
  const altered = ALTER_TABLE.exec(sql)
  if (altered) return changesOf(altered[1] ?? '', altered[2] ?? '', on)
  const merged = OPTIMIZE_TABLE.exec(sql)
  if (merged) return [`OPTIMIZE TABLE ${merged[1]}_local ${on}${merged[2]}`]
  return [statement]
}

function tablesOf(
  [, ifNotExists = '', name = '', columns, engine, args = '', rest = '']: RegExpExecArray,
  cluster: string,
  on: string,
): readonly string[] {
  const inner = args.trim() === '' ? KEEPER_PATH : `${KEEPER_PATH}, ${args}`
  const order = /ORDER BY (?:\(([^)]*)\)|(\w+))/.exec(rest)
  const keys = (order?.[1] ?? order?.[2] ?? '').split(',').map((key) => key.trim())
  const key = SHARD_BY.find((one) => keys.includes(one)) ?? keys[0]
  const local = `CREATE TABLE ${ifNotExists}${name}_local ${on} ${columns} ENGINE = Replicated${engine}(${inner})${rest.replace(
    'non_replicated_deduplication_window',
    'replicated_deduplication_window',
  )}`
  const bare = name.split('.').at(-1)
  const [of] = name.includes('.') ? [`'${name.split('.')[0]}'`] : ['currentDatabase()']
  return [
    local,
    `CREATE TABLE ${ifNotExists}${name} ${on} AS ${name}_local ENGINE = Distributed('${cluster}', ${of}, '${bare}_local', sipHash64(${key}))`,
  ]
}

/** Indexes, TTLs and mutations are of the replicated table alone, columns of both. */
function changesOf(name: string, change: string, on: string): readonly string[] {
  const local = `ALTER TABLE ${name}_local ${on}${change}`
  const columns = change
    .split(/,\s*(?=ADD )/)
    .map((part) => part.trim())
    .filter((part) => part.startsWith('ADD COLUMN'))
    // How a column is stored, or computed, is the other table's concern.
    .map((part) => part.replace(/ (?:CODEC|MATERIALIZED|DEFAULT) [\s\S]*$| CODEC\([\s\S]*$/, ''))
  return columns.length === 0 ? [local] : [local, `ALTER TABLE ${name} ${on} ${columns.join(', ')}`]
}
