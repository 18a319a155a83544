// Make every call of @rudderstack/rudder-sdk-node (see tests/sdks/calls.py).
import Analytics from "@rudderstack/rudder-sdk-node"

const { KEY, SITE, NAME, ROUND, WHEN } = process.env
const failures = []
const analytics = new Analytics(KEY, {
  dataPlaneUrl: SITE, path: "/v1/batch", retryCount: 10, flushAt: 6, errorHandler: (error) => failures.push(error),
})

const userId = `${NAME}-user-${ROUND}`
const common = (seconds) => ({
  timestamp: new Date(Date.parse(WHEN) + seconds * 1000),
  context: { campaign: { name: "spring" } },
  integrations: { All: true, Elsewhere: false },
})
analytics.identify({ userId, traits: { email: `${userId}@example.org`, plan: "pro" }, ...common(0) })
analytics.track({ userId, event: "Order Completed", properties: { order_id: `o-${ROUND}`, total: 89.5 }, ...common(1) })
analytics.page({ userId, name: "Home", properties: { path: `/${ROUND}` }, ...common(2) })
analytics.screen({ userId, name: "Cart", properties: { lines: 2 }, ...common(3) })
analytics.group({ userId, groupId: "acme", traits: { name: "Acme" }, ...common(4) })
analytics.alias({ userId, previousId: `${NAME}-old-${ROUND}`, ...common(5) })
analytics.track({ userId: `${NAME}-user-1`, event: "Again", messageId: `${NAME}-again` })
for (let tick = 0; tick < 10; tick++) analytics.track({ userId, event: `Tick ${tick}`, ...common(10 + tick) })
await analytics.flush()
if (failures.length) throw failures[0]
