/** The example of infra/deploy/nginx with the nodes and ports of this machine put in, and nothing else changed. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export interface Node {
  readonly id: string
  readonly port: number
  readonly omtpPort: number
}

const source = path.resolve(import.meta.dirname, '../../infra/deploy/nginx')
/** The nodes of the example, in the order of `nodes`. */
const exampleHosts = ['10.0.0.11', '10.0.0.12']

/** Writes the folder that nginx is started in. */
export function writeConfig(
  dir: string,
  nodes: readonly Node[],
  ports: { http: number; omtp: number },
  streamModule: string | null,
): void {
  mkdirSync(dir, { recursive: true })
  for (const name of ['locations.conf', 'omtp.conf'])
    copyFileSync(path.join(source, name), path.join(dir, name))
  for (const name of ['gateways.http.conf', 'gateways.stream.conf']) {
    let text = readFileSync(path.join(source, name), 'utf8')
    for (const [i, host] of exampleHosts.entries()) {
      const node = nodes[i]
      if (!node) throw new Error(`the example has ${exampleHosts.length} nodes`)
      text = text.replaceAll(`${host}:8080`, `127.0.0.1:${node.port}`)
      text = text.replaceAll(`${host}:9110`, `127.0.0.1:${node.omtpPort}`)
    }
    if (/10\.0\.0\./.test(text)) throw new Error(`${name} names nodes that are not known here`)
    writeFileSync(path.join(dir, name), text)
  }
  writeFileSync(
    path.join(dir, 'nginx.conf'),
    `${streamModule === null ? '' : `load_module ${streamModule};\n`}pid nginx.pid;
error_log error.log warn;
worker_processes 1;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include gateways.http.conf;
    server {
        listen 127.0.0.1:${ports.http};
        include locations.conf;
    }
}
stream {
    include gateways.stream.conf;
    server {
        listen 127.0.0.1:${ports.omtp};
        include omtp.conf;
    }
}
`,
  )
}
