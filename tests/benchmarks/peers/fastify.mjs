// The service that most teams would write: Fastify and pg, over the very tables of the product, with its guards and indexes. Two configurations:
// the default one (a process, pg's pool of 10, statements parsed each time), and the best one (a process for each core, prepared statements, a pool
// to fit, the answers' JSON compiled from a schema).
import cluster from 'node:cluster'
import Fastify from 'fastify'
import pg from 'pg'
import { calls } from './fastify-calls.mjs'
import { events } from './fastify-events.mjs'

const settings = JSON.parse(process.env.BENCHMARK_SETTINGS)

// Microseconds, as the product answers them: pg's own reading makes a Date of it, which has none.
const TIMESTAMPTZ = 1184
pg.types.setTypeParser(TIMESTAMPTZ, text => text.replace(' ', 'T').replace('+00', 'Z'))

/** A statement with @named parameters; its values go in their order, prepared on each connection in the best configuration. */
function statement(name, sql) {
  const names = []
  const text = sql.replace(/@([a-z_]\w*)/gi, (_, parameter) => {
    if (!names.includes(parameter)) names.push(parameter)
    return `$${names.indexOf(parameter) + 1}`
  })
  return parameters => ({
    text,
    values: names.map(parameter => parameters[parameter] ?? null),
    ...(settings.prepared && { name }),
  })
}

async function serve() {
  // The whole path of a statement needs PostgreSQL's times in UTC, as the product's connections have them.
  const pool = new pg.Pool({ connectionString: settings.connectionString, options: '-c TimeZone=UTC', max: settings.pool })
  const app = Fastify({
    bodyLimit: 64 * 1024,
    // As strict as the product: nothing is removed, and nothing is turned into another type.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allErrors: false } },
  })
  app.get('/health/ready', async () => ({ status: 'ready', checked: (await pool.query('select 1')).rowCount }))
  calls(app, pool, statement, settings)
  events(app, pool, statement)
  await app.listen({ port: settings.port, host: '127.0.0.1' })
}

if (settings.processes > 1 && cluster.isPrimary) {
  for (let n = 0; n < settings.processes; n++) cluster.fork()
  cluster.on('exit', () => process.exit(1))
} else {
  await serve()
}

// Ends with the benchmark, also where that was killed; a worker ends with its primary.
if (cluster.isPrimary) process.stdin.on('end', () => process.exit(0)).resume()
