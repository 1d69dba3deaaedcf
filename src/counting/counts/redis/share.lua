-- Counts batches of many counters in one call: each as count.lua, which is `count` here, would by itself.
--
-- KEYS: the counts, those of plain batches first: of visits without identity that carry nothing; then
--       the epoch, where one is compared. The other keys of a counter are made from these: calls are only
--       shared where no cluster has to know them in advance.
-- ARGV: how many batches are plain; from the 2nd to the 12th as for count.lua; for each plain batch its
--       visits; for each other one how many arguments are its own, and these: its visits without
--       identity that carry nothing, then as for count.lua from the 13th on.
--
-- Answers -2 if more was revoked than is known, having done nothing. Else for each counter the number of
-- its first visit, or what count.lua answers, or an error: that of its batch alone.
--
-- An error of the whole call means that nothing was done: none is raised once anything is written.

local plain, counters = tonumber(ARGV[1]), #KEYS
if ARGV[8] ~= '*' then
    if (redis.call('GET', KEYS[counters]) or '') ~= ARGV[8] then
        return -2
    end
    counters = counters - 1
end

local function key(counter, name)
    return string.sub(KEYS[counter], 1, -6) .. name
end

-- Whether all plain batches are of counters that are listed and not recorded: most are, and need one
-- command each.
local simple = false
if plain > 0 and ARGV[4] == '0' then
    local records = {}
    for counter = 1, plain do
        records[counter] = key(counter, 'record')
    end
    simple = redis.call('EXISTS', unpack(records)) == 0 and redis.call('EXISTS', unpack(KEYS, 1, plain)) == plain
end

-- Counts a batch that has these arguments of its own beside its `visits` of the plain kind.
local function alone(counter, visits, from, to)
    local keys = {KEYS[counter], key(counter, 'record'), key(counter, 'visits')}
    local arguments = {visits, ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], '*'}
    if from then
        arguments = {visits, ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], '*', ARGV[9], ARGV[10], ARGV[11],
            ARGV[12], unpack(ARGV, from, to)}
        if ARGV[from] ~= '0' then
            keys[4], keys[5] = key(counter, 'requests'), key(counter, 'requests:previous')
        end
        if ARGV[from + 1] ~= '0' then
            keys[#keys + 1] = key(counter, 'keys')
            keys[#keys + 1] = key(counter, 'keys:previous')
        end
    end
    return count(keys, arguments)
end

-- What is raised was raised before anything of its batch was written. Before version 7 Redis raises a text.
local function answer(done, value)
    if done then
        return value
    end
    return redis.error_reply('REFUSED ' .. (type(value) == 'table' and value.err or tostring(value)))
end

local answers = {}
for counter = 1, plain do
    local visits = ARGV[12 + counter]
    if simple then
        local last = redis.pcall('INCRBY', KEYS[counter], visits)
        answers[counter] = type(last) == 'number' and last - visits + 1 or last
    else
        answers[counter] = answer(pcall(alone, counter, visits))
    end
end
local from = 13 + plain
for counter = plain + 1, counters do
    local to = from + tonumber(ARGV[from])
    answers[counter] = answer(pcall(alone, counter, ARGV[from + 1], from + 2, to))
    from = to + 1
end
return answers
