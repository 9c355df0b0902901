// Creating, reading and listing calls: the same rows, columns, checks and answers as the product's.
import { createHash, randomFillSync, timingSafeEqual } from 'node:crypto'

const E164 = '^\\+[1-9][0-9]{6,14}$'
const METADATA_BYTES = 8 * 1024
const STATUSES = ['PENDING', 'IN_PROGRESS', 'COMPLETED']

const COLUMNS = `id, organization_id, direction, status, outcome, from_number as "from", to_number as "to", next_action_at, retries, provider_call_id,
  started_at, answered_at, ended_at, duration_seconds, recording_url, metadata, connect, revision, created_at, updated_at`

const timeOrNull = { type: ['string', 'null'] }
const textOrNull = { type: ['string', 'null'] }
const callSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' }, organization_id: { type: 'string' }, direction: { type: 'string' }, status: { type: 'string' }, outcome: textOrNull,
    from: textOrNull, to: textOrNull, next_action_at: timeOrNull, retries: { type: 'integer' }, provider_call_id: textOrNull, started_at: timeOrNull,
    answered_at: timeOrNull, ended_at: timeOrNull, duration_seconds: { type: ['integer', 'null'] }, recording_url: textOrNull,
    metadata: {}, connect: {}, revision: { type: 'integer' }, created_at: { type: 'string' }, updated_at: { type: 'string' },
  },
}

const createSchema = {
  type: 'object',
  required: ['from', 'to'],
  additionalProperties: false,
  properties: {
    from: { type: 'string', pattern: E164 },
    to: { type: 'string', pattern: E164 },
    next_action_at: { type: ['string', 'null'], format: 'date-time' },
    metadata: { type: ['object', 'null'] },
    connect: {
      type: ['object', 'null'],
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 1,
      properties: {
        flow_url: { type: 'string', maxLength: 1000, pattern: '^https?://' },
        stream_url: { type: 'string', maxLength: 1000, pattern: '^wss?://' },
        number: { type: 'string', pattern: E164 },
      },
    },
  },
}

const listSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    status: { enum: STATUSES },
    direction: { enum: ['INBOUND', 'OUTBOUND'] },
    outcome: { enum: ['completed', 'no-answer', 'busy', 'failed', 'canceled', 'unknown'] },
    from: { type: 'string', pattern: E164 },
    to: { type: 'string', pattern: E164 },
    created_after: { type: 'string', format: 'date-time' },
    created_before: { type: 'string', format: 'date-time' },
    due_before: { type: 'string', format: 'date-time' },
    limit: { type: 'string', pattern: '^[0-9]{1,3}$' },
    cursor: { type: 'string' },
  },
}

const FILTERS = {
  status: () => '',
  direction: word => `and direction = '${word}'`,
  outcome: word => `and outcome = '${word}'`,
  from: () => 'and from_number = @from',
  to: () => 'and to_number = @to',
  created_after: () => 'and created_at > @created_after',
  created_before: () => 'and created_at < @created_before',
  due_before: () => 'and next_action_at < @due_before',
}

// Each status has an index of its own, so it stands in the text.
function statusesOf({ status, outcome, due_before }) {
  const only = [status, outcome && 'COMPLETED', due_before && 'PENDING'].filter(Boolean)
  return STATUSES.filter(each => only.every(one => one === each))
}

export function hashOf(secret) {
  return createHash('sha256').update(secret).digest()
}

export function calls(app, pool, statement, settings) {
  const byKey = statement('by-key', 'select id, api_key_hash from organizations where api_key_hash = @hash')
  const insert = statement('insert', `
    insert into calls (id, organization_id, direction, status, from_number, to_number, next_action_at, metadata, connect, history)
    values (@id, @organization, 'OUTBOUND', 'PENDING', @from, @to, coalesce(@next_action_at, now()), @metadata::json, @connect::jsonb,
      jsonb_build_array(call_history_entry('created', 'api', 1, 'PENDING')))
    returning ${COLUMNS}`)
  const read = statement('read', `
    select ${COLUMNS}, history, history_dropped
    from calls
    where id = @id and organization_id = @organization`)
  const lists = new Map()

  async function authenticate(request, reply) {
    const [scheme, key] = (request.headers.authorization ?? '').split(' ')
    if (scheme === 'Bearer' && key) {
      const hash = hashOf(key)
      const { rows: [organization] } = await pool.query(byKey({ hash }))
      if (organization && timingSafeEqual(organization.api_key_hash, hash)) {
        request.organization = organization.id
        return
      }
    }
    return reply.code(401).send({ status: 401 })
  }

  const answer = schema => settings.answersCompiled ? schema : undefined

  app.post('/api/calls/outbound', {
    preValidation: authenticate,
    schema: { body: createSchema, response: answer({ 201: callSchema }) },
  }, async (request, reply) => {
    const { from, to, next_action_at, metadata, connect } = request.body
    const json = metadata && JSON.stringify(metadata)
    if (json && Buffer.byteLength(json) > METADATA_BYTES) return reply.code(400).send({ status: 400 })
    const { rows: [call] } = await pool.query(insert({
      id: uuidVersion7(), organization: request.organization, from, to, next_action_at, metadata: json, connect: connect && JSON.stringify(connect),
    }))
    return reply.code(201).header('location', `/api/calls/${call.id}`).header('etag', `"${call.revision}"`).send(call)
  })

  app.get('/api/calls/:id', {
    preValidation: authenticate,
    schema: {
      params: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } },
      response: answer({ 200: { ...callSchema, properties: { ...callSchema.properties, history: {}, history_dropped: { type: 'integer' } } } }),
    },
  }, async (request, reply) => {
    const { rows: [call] } = await pool.query(read({ id: request.params.id, organization: request.organization }))
    if (!call) return reply.code(404).send({ status: 404 })
    return reply.header('etag', `"${call.revision}"`).send(call)
  })

  app.get('/api/calls', {
    preValidation: authenticate,
    schema: {
      querystring: listSchema,
      response: answer({ 200: { type: 'object', properties: { items: { type: 'array', items: callSchema }, next_cursor: textOrNull } } }),
    },
  }, async request => {
    const { limit = '50', cursor, ...filters } = request.query
    const asked = Object.keys(filters)
    const statuses = statusesOf(filters)
    if (statuses.length === 0) return { items: [], next_cursor: null }
    const shape = [...asked, filters.direction, filters.outcome, cursor && 'cursor', ...statuses, limit].join()
    if (!lists.has(shape)) {
      const newest = `order by created_at desc, id desc limit ${Number(limit) + 1}`
      const ofEach = statuses.map(status => `
        (select ${COLUMNS}
        from calls
        where organization_id = @organization and status = '${status}'
          ${asked.map(name => FILTERS[name](filters[name])).join(' ')} ${cursor ? 'and (created_at, id) < (@at, @id)' : ''}
        ${newest})`)
      lists.set(shape, statement(`list-${lists.size}`, `select * from (${ofEach.join(' union all ')}) calls ${newest}`))
    }

    const [at, id] = cursor ? Buffer.from(cursor, 'base64url').toString().split(' ') : []
    const { rows } = await pool.query(lists.get(shape)({ ...filters, organization: request.organization, at, id }))
    if (rows.length <= limit) return { items: rows, next_cursor: null }
    rows.pop()
    const last = rows.at(-1)
    return { items: rows, next_cursor: Buffer.from(`${last.created_at} ${last.id}`).toString('base64url') }
  })
}

function uuidVersion7() {
  const bytes = randomFillSync(Buffer.allocUnsafe(16))
  bytes.writeUIntBE(Date.now(), 0, 6)
  bytes[6] = 0x70 | (bytes[6] & 0x0f)
  bytes[8] = 0x80 | (bytes[8] & 0x3f)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
