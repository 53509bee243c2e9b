-- What several scripts share. It stands in front of each of them, behind the line that says whether Redis runs the
-- script also when its memory is full (`scripts.rs`).
--
-- Waiting jobs are in lanes. A lane is a list of ids, named by a digit for the priority (1 runs first), a colon, and
-- the fairness key (empty for jobs that have none). The sorted set of lanes holds each one that is not empty, by
-- priority * TURNS + turn: lanes of one priority take turns, and a turn is as long as the number of jobs that it gave.
-- (Start-time fair queuing: P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996, with every job of the same length.)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local TURNS = 1e13
local STANDARD_LANE = '5:'
-- Of jobs whose worker vanished: each worker takes one of them at a time. No priority is 0, so it is the first lane.
local SUSPECT_LANE = '0:'

-- A field of begun:{worker} that is no id: this worker marks what it has begun.
local MARKS_BEGUN = '*'
-- What should be cleaned up with the job or the worker, and is not when an older version does that, goes by itself: 30
-- days in ms.
local MARKS_KEPT = 2592000000

-- Puts ids into a lane: at its end with RPUSH, at its front with LPUSH. A lane that was empty begins with the present
-- turn of its priority, so that it neither waits for those that were there before nor makes up for its absence.
local function enqueue(command, waiting, lanes, lane, ids)
  redis.call(command, waiting .. lane, unpack(ids))
  if not redis.call('ZSCORE', lanes, lane) then
    local floor = tonumber(string.sub(lane, 1, 1)) * TURNS
    local first = redis.call('ZRANGEBYSCORE', lanes, floor, floor + TURNS - 1, 'WITHSCORES', 'LIMIT', 0, 1)
    redis.call('ZADD', lanes, first[2] or floor, lane)
  end
end

-- The same for ids of several lanes: the hash `lane_of` names those that are not the standard one.
local function enqueue_each(command, waiting, lanes, lane_of, ids)
  if redis.call('EXISTS', lane_of) == 0 then
    return enqueue(command, waiting, lanes, STANDARD_LANE, ids)
  end
  local names, groups = {}, {}
  for at, lane in ipairs(redis.call('HMGET', lane_of, unpack(ids))) do
    lane = lane or STANDARD_LANE
    if not groups[lane] then
      groups[lane] = {}
      names[#names + 1] = lane
    end
    table.insert(groups[lane], ids[at])
  end
  for _, lane in ipairs(names) do
    enqueue(command, waiting, lanes, lane, groups[lane])
  end
end

-- One token in the list means that there is work; whoever takes it and leaves work behind puts it back.
local function notify(wake)
  if redis.call('LLEN', wake) == 0 then
    redis.call('RPUSH', wake, 1)
  end
end

-- The job in an envelope, or nil when there is none in it.
local function job_in(envelope)
  local readable, job = pcall(cjson.decode, envelope)
  return readable and type(job) == 'table' and job or nil
end

-- The function of a job, for events that no worker wrote. Blanks separate the jobs of such an event.
local function function_in(job)
  local name = job and job['function']
  return type(name) == 'string' and (string.gsub(name, '%s', '_')) or ''
end

local function function_of(envelope)
  return function_in(job_in(envelope))
end

-- How often a job was lost before it had begun, and the lane that it came from, by its entry among the suspects.
local function suspect_of(entry)
  local losses, lane = string.match(entry or '', '^(%d+) (.*)$')
  return tonumber(losses) or 0, lane
end
