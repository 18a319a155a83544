import com.rudderstack.sdk.java.analytics.RudderAnalytics;
import com.rudderstack.sdk.java.analytics.Callback;
import com.rudderstack.sdk.java.analytics.messages.AliasMessage;
import com.rudderstack.sdk.java.analytics.messages.GroupMessage;
import com.rudderstack.sdk.java.analytics.messages.IdentifyMessage;
import com.rudderstack.sdk.java.analytics.messages.Message;
import com.rudderstack.sdk.java.analytics.messages.MessageBuilder;
import com.rudderstack.sdk.java.analytics.messages.PageMessage;
import com.rudderstack.sdk.java.analytics.messages.ScreenMessage;
import com.rudderstack.sdk.java.analytics.messages.TrackMessage;
import com.segment.backo.Backo;
import java.lang.reflect.Field;
import java.time.Instant;
import java.util.Date;
import java.util.Map;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;

/** Makes every call of the SDK twice over (see tests/sdks/calls.py) and ends when all are delivered. */
public class Exercise {
  static final String NAME = System.getenv("NAME");
  static final String ROUND = System.getenv("ROUND");
  static final Instant START = Instant.parse(System.getenv("WHEN"));
  static final Phaser DELIVERED = new Phaser(1);

  public static void main(String[] arguments) throws Exception {
    waitLess("com.rudderstack.sdk.java.analytics.internal.AnalyticsClient$BatchUploadTask");
    RudderAnalytics analytics =
        RudderAnalytics.builder(System.getenv("KEY"))
            .setDataPlaneUrl(System.getenv("SITE"))
            .flushQueueSize(6)
            .callback(
                new Callback() {
                  @Override
                  public void success(Message message) {
                    DELIVERED.arriveAndDeregister();
                  }

                  @Override
                  public void failure(Message message, Throwable error) {
                    error.printStackTrace();
                    System.exit(1);
                  }
                })
            .build();
    String user = NAME + "-user-" + ROUND;
    send(analytics, IdentifyMessage.builder().traits(Map.of("email", user + "@example.org", "plan", "pro")), user, 0);
    send(analytics, TrackMessage.builder("Order Completed").properties(Map.of("order_id", "o-" + ROUND, "total", 89.5)), user, 1);
    send(analytics, PageMessage.builder("Home").properties(Map.of("path", "/" + ROUND)), user, 2);
    send(analytics, ScreenMessage.builder("Cart").properties(Map.of("lines", 2)), user, 3);
    send(analytics, GroupMessage.builder("acme").traits(Map.of("name", "Acme")), user, 4);
    send(analytics, AliasMessage.builder(NAME + "-old-" + ROUND), user, 5);
    send(analytics, TrackMessage.builder("Again").messageId(NAME + "-again"), NAME + "-user-1", 0);
    for (int number = 0; number < 10; number++) {
      send(analytics, TrackMessage.builder("Tick " + number), user, 10 + number);
    }
    analytics.flush();
    DELIVERED.arriveAndAwaitAdvance();
    analytics.shutdown();
    System.exit(0);
  }

  static void send(RudderAnalytics analytics, MessageBuilder<?, ?> message, String user, int seconds) {
    DELIVERED.register();
    analytics.enqueue(
        message
            .userId(user)
            .timestamp(Date.from(START.plusSeconds(seconds)))
            .context(Map.of("campaign", Map.of("name", "spring")))
            .enableIntegration("All", true)
            .enableIntegration("Elsewhere", false));
  }

  /** The SDK waits 15 seconds and more between two tries, and offers no setting: too long for a test. */
  static void waitLess(String task) throws Exception {
    Field unsafe = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
    unsafe.setAccessible(true);
    sun.misc.Unsafe memory = (sun.misc.Unsafe) unsafe.get(null);
    Field waits = Class.forName(task).getDeclaredField("BACKO");
    Backo shorter = Backo.builder().base(TimeUnit.MILLISECONDS, 100).cap(TimeUnit.MILLISECONDS, 500).build();
    memory.putObject(memory.staticFieldBase(waits), memory.staticFieldOffset(waits), shorter);
  }
}
