-- Publishes revocations: puts them into the history, and makes another epoch.
--
-- KEYS: the history, the epoch. ARGV: the epoch that is expected, or * for any; what makes the new
--       epoch one that was never given; the time, and how long the new ones are kept, in
--       milliseconds; then each of them, with the time of its end behind its last |.
--
-- The history is in the order of its epochs, EPOCH|REVOCATION, all with score 0. An epoch is a
-- number of 15 digits, one more than that before it, and what the caller made.
--
-- Answers the epoch, or nothing if it was another than expected: then nothing was done.

local history, key = KEYS[1], KEYS[2]
local epoch = redis.call('GET', key) or ''
if ARGV[1] ~= '*' and ARGV[1] ~= epoch then
    return false
end

local now, life = tonumber(ARGV[3]), tonumber(ARGV[4])
local ended = {}
for _, member in ipairs(redis.call('ZRANGEBYLEX', history, '-', '+', 'LIMIT', 0, 100)) do
    local ends = tonumber(string.match(member, '|(%d+)$'))
    if ends and ends <= now then
        ended[#ended + 1] = member
    end
end

if #ARGV > 4 then
    local last = tonumber(string.sub(epoch, 1, 15))
    if not last then
        -- The epoch is gone and the history is not: what is new must come behind it all the same.
        local all = redis.call('ZRANGEBYLEX', history, '-', '+')
        last = tonumber(string.sub(all[#all] or '', 1, 15)) or 0
    end
    for position = 5, #ARGV do
        last = last + 1
        epoch = string.format('%015d-%s', last, ARGV[2])
        redis.call('ZADD', history, 0, epoch .. '|' .. ARGV[position])
    end
    life = math.max(life, redis.call('PTTL', history))
    redis.call('SET', key, epoch, 'PX', string.format('%.0f', life))
    redis.call('PEXPIRE', history, string.format('%.0f', life))
end
if #ended > 0 then
    redis.call('ZREM', history, unpack(ended))
end
return epoch
