-- Quota::take of domain/rate.rs, on the account under KEYS[1] and by the clock of Redis, which all processes share.
-- ARGV: the distance between units in microseconds, the limit, the cost.
-- Answers whether they were taken, when the next unit is due, and the time.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local spacing, limit, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local due = tonumber(redis.call('GET', KEYS[1]) or '0')
local after = math.max(due, now) + cost * spacing
if after > now + limit * spacing then
    return {0, due, now}
end
if after > now then
    -- '%.0f', because Lua would write a number of this size with an exponent.
    redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
else
    redis.call('DEL', KEYS[1])
end
return {1, after, now}
