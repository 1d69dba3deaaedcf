-- Puts a counter into the index of its company, or a company into that of companies, if there is
-- room for one more.
--
-- KEYS: the index. ARGV: the name or id, how many there may be.
--
-- Answers 1 if it is listed now, 0 if there is no room.

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
    -- Another has listed it a moment ago, and WAIT waits for what its own connection has
    -- written: written again, it is on the replicas before anything is counted. A score it has
    -- already would be no write; and were it removed first, it would stay so for who may not add.
    redis.call('ZADD', KEYS[1], 1, ARGV[1])
elseif redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return 0
end
redis.call('ZADD', KEYS[1], 0, ARGV[1])
return 1
