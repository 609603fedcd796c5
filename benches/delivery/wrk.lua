-- Says at the end what hot.rs wants to know.
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local text = '{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d}\n'
  io.write(text:format(summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
