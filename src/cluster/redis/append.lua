-- Appends a batch to the log, and returns its place: term and n.
-- KEYS: the log; the run id of the server that took the last entry.
-- ARGV: the run id that the caller's connection has learnt; the last place that the caller knows (term, n); the batch.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local term, n, at, time = 0, 0, 0, nil
if last then
  local a, b = string.match(last[1], '(%d+)-(%d+)')
  term, n = tonumber(a), tonumber(b)
  at, time = tonumber(last[2][2]), tonumber(last[2][4])
  if not at or not time then return redis.error_reply('FOREIGN ' .. last[1] .. ' of the log is not of wschat') end
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local seen_term, seen_n = tonumber(ARGV[2]), tonumber(ARGV[3])
-- Another process took the last entry, or the caller has seen more than there is: entries may be lost. Terms of two
-- branches never meet, since each is at least the time at which it began.
local is_new = redis.call('GET', KEYS[2]) ~= ARGV[1]
if is_new or seen_term > term or (seen_term == term and seen_n > n) then
  term = math.max(term + 1, seen_term + 1, now)
end
n = n + 1
-- The log's clock goes on by at most 2 s an entry, so nobody's lease ends because the log stood still.
if time then at = at + math.max(0, math.min(now - time, 2000)) end
local id = string.format('%.0f-%.0f', term, n)
redis.call('XADD', KEYS[1], id, 'a', string.format('%.0f', at), 't', string.format('%.0f', now), 'b', ARGV[4])
-- Only now, for if the entry is refused, the next one has to begin the term.
if is_new then redis.call('SET', KEYS[2], ARGV[1]) end
return { term, n }
