-- Every request is another user's; at the end one line that the benchmark reads.
local number = 0
request = function()
  number = (number * 1103515245 + 12345) % 2147483648
  local user = "user-" .. number
  return wrk.format("GET", "/v2/models/ranker/infer", {["x-user-id"] = user, ["cookie"] = "theme=dark; uid=" .. user})
end
done = function(summary, latency)
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status, broken))
end
