-- One event a request, each with a message id of its own. AUTHORIZATION and RUN come from the environment.
local number = 0
local run = os.getenv("RUN") or "0"

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = os.getenv("AUTHORIZATION")
end

function request()
  number = number + 1
  return wrk.format(nil, nil, nil, string.format(
    '{"messageId":"%s-%d","anonymousId":"device-%d","event":"Product Viewed","properties":{"product":"Gravel 2","price":89}}',
    run, number, number % 5000))
end

function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %f %f\n", summary.requests,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.duration / 1e6, latency:percentile(99.0) / 1e6))
end
