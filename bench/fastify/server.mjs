// The same service with Fastify, as one writes it who knows Fastify: a process for each core, schemas for
// the answers, ioredis with automatic pipelining, @fastify/jwt, Argon2id in the thread pool.

import cluster from 'node:cluster';
import jwt from '@fastify/jwt';
import argon2 from 'argon2';
import Fastify from 'fastify';
import { Redis } from 'ioredis';

const ISSUER = 'bench';
const TTL_SECONDS = 3600;

// With PROMISE=exact a visit is counted exactly once, however often it is repeated within a minute: by its
// X-Request-ID, which is remembered with its number in the same atomic step.
const EXACT = process.env.PROMISE === 'exact';
const REMEMBERED_SECONDS = 60;
const VISIT = `
local number = redis.call('GET', KEYS[2])
if not number then
  number = redis.call('INCR', KEYS[1])
  redis.call('SET', KEYS[2], number, 'EX', ARGV[1])
end
return tonumber(number)`;

const answer = (properties) => ({ response: { 200: { type: 'object', properties } } });

async function serve(listen) {
  const store = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });
  store.defineCommand('visit', { numberOfKeys: 2, lua: VISIT });
  const count = (id) => (EXACT && id
    ? store.visit('fastify:visits', `fastify:request:${id}`, REMEMBERED_SECONDS)
    : store.incr('fastify:visits'));
  const app = Fastify({ keepAliveTimeout: 75_000 });
  app.register(jwt, {
    secret: process.env.SECRET_KEY,
    sign: { algorithm: 'HS256', iss: ISSUER, expiresIn: TTL_SECONDS },
    verify: { algorithms: ['HS256'], allowedIss: ISSUER, cache: true },
  });

  app.get('/api/ping', { schema: answer({ status: { type: 'string' } }) }, async () => ({ status: 'ok' }));

  app.post('/auth/login', async (request, reply) => {
    const { username, password } = request.body;
    const matches = await argon2.verify(process.env.ADMIN_PASSWORD_HASH, password);
    if (!matches || username !== 'admin') return reply.code(401).send({ error: 'unauthorized' });
    return { token: app.jwt.sign({ sub: username }), token_type: 'Bearer', expires_in: TTL_SECONDS };
  });

  app.get('/api/count', {
    onRequest: (request) => request.jwtVerify(),
    schema: answer({ visits: { type: 'integer' } }),
  }, async (request) => ({ visits: await count(request.headers['x-request-id']) }));

  await app.listen(listen);
}

const [address, processes] = process.argv.slice(2);
const [kind, ...rest] = address.split(':');
const listen = kind === 'unix' ? { path: rest.join(':') } : { host: rest[0], port: Number(rest[1]) };

if (cluster.isPrimary) {
  for (let forked = 0; forked < Number(processes); forked += 1) cluster.fork();
  // One that dies is not replaced: the run must see it.
  cluster.on('exit', () => process.exit(1));
} else {
  await serve(listen);
}
