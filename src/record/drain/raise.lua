-- Raises a count to what the database has recorded: Redis has lost what came after its last
-- synchronisation or save, and those numbers are not to be given again. Has it remember the identities of
-- those visits again, so that one which is repeated is not counted again.
--
-- KEYS: the count, the state of the record, for each kind of identity the set in use.
-- ARGV: up to which number visits are recorded and when that was; then for each kind how long it is
--       remembered, in milliseconds, and how many there are; then number and identity of each, in the
--       order of the kinds.
--
-- Answers by how much the count was raised.

local through = tonumber(ARGV[1])
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
local raised = math.max(through - count, 0)
if raised > 0 then
    redis.call('INCRBY', KEYS[1], raised)
end
local state = redis.call('HMGET', KEYS[2], 'top', 'at', 'bytes')
if state[1] and tonumber(state[1]) < through then
    -- What is in the stream has numbers that the database knows already.
    redis.call('HSET', KEYS[2], 'top', ARGV[1], 'at', string.format('%.0f', math.max(tonumber(state[2]), tonumber(ARGV[2]))))
end
local at = 7
for kind = 1, 2 do
    local window, identities = tonumber(ARGV[1 + 2 * kind]), tonumber(ARGV[2 + 2 * kind])
    local set = KEYS[2 + kind]
    for _ = 1, identities do
        redis.call('HSETNX', set, ARGV[at + 1], ARGV[at])
        at = at + 2
    end
    if identities > 0 and redis.call('PTTL', set) < 0 then
        redis.call('PEXPIRE', set, 2 * window)
    end
end
return raised
