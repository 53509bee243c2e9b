-- Makes jobs that wait for their time due now: they go to the end of their lanes.
--
-- KEYS: waiting, lanes, lane_of, scheduled, events, wake
-- ARGS: none; each job: id
--   at most 500 jobs
-- Returns one number for each job: 1 it is due now, 0 it does not wait for a time here
-- Cost  O(n log m) for n jobs among m scheduled ones.
local reply, due = {}, {}
for at, id in ipairs(ARGV) do
  reply[at] = redis.call('ZREM', scheduled, id)
  if reply[at] == 1 then
    due[#due + 1] = id
  end
end
if #due > 0 then
  enqueue_each('RPUSH', waiting, lanes, lane_of, due)
  redis.call('XADD', events, '*', 't', 'promoted', 'd', table.concat(due, ' '))
  notify(wake)
end
return reply
