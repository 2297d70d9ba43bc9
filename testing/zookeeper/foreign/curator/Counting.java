import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedCountListener;
import org.apache.curator.framework.recipes.shared.SharedCountReader;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;

/** Shared counts and values. */
final class Counting implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("a shared count tells everyone of a change", place -> {
            try (SharedCount one = new SharedCount(place.client(), "/count", 7);
                    SharedCount two = new SharedCount(place.client(), "/count", 7)) {
                CountDownLatch told = new CountDownLatch(1);
                two.addListener(new SharedCountListener() {
                    @Override
                    public void countHasChanged(SharedCountReader count, int now) {
                        if (now == 42) {
                            told.countDown();
                        }
                    }

                    @Override
                    public void stateChanged(CuratorFramework client, ConnectionState state) {}
                });
                one.start();
                two.start();
                Fixture.same(7, two.getCount());
                one.setCount(42);
                Fixture.check(told.await(20, TimeUnit.SECONDS), "it is told");
                Fixture.eventually("it is seen", () -> two.getCount() == 42);
            }
        });
        claims.put("one of two competing changes of a shared count fails", place -> {
            try (SharedCount one = new SharedCount(place.client(), "/count", 0);
                    SharedCount two = new SharedCount(place.client(), "/count", 0)) {
                one.start();
                two.start();
                var seen = two.getVersionedValue();
                Fixture.check(one.trySetCount(one.getVersionedValue(), 1), "the first succeeds");
                Fixture.check(!two.trySetCount(seen, 2), "the second does not");
                Fixture.eventually("it sees why", () -> two.getCount() == 1);
                Fixture.check(two.trySetCount(two.getVersionedValue(), 2), "it succeeds then");
            }
        });
        claims.put("increments of a shared count by several are all counted", place -> {
            List<Future<Object>> workers = new ArrayList<>();
            for (int number = 0; number < 3; number++) {
                CuratorFramework client = place.client();
                workers.add(Fixture.beside(() -> {
                    try (SharedCount count = new SharedCount(client, "/count", 0)) {
                        count.start();
                        for (int done = 0; done < 10;) {
                            var seen = count.getVersionedValue();
                            done += count.trySetCount(seen, seen.getValue() + 1) ? 1 : 0;
                        }
                    }
                    return null;
                }));
            }
            for (Future<Object> worker : workers) {
                Fixture.result(worker);
            }
            byte[] data = place.client().getData().forPath("/count");
            Fixture.same(30, java.nio.ByteBuffer.wrap(data).getInt());
        });
        claims.put("a shared value is the last one after a dropped connection", place -> {
            Link link = place.link();
            try (SharedValue one = new SharedValue(place.client(), "/value", new byte[] {1});
                    SharedValue two = new SharedValue(place.client(link.address, Fixture.TIMEOUT_MS), "/value", new byte[] {1})) {
                one.start();
                two.start();
                link.cut();
                one.setValue(new byte[] {2});
                link.mend();
                Fixture.eventually("it has caught up", () -> two.getValue()[0] == 2);
            }
        });
        claims.put("an atomic long counts what many add", place -> {
            List<Future<Object>> workers = new ArrayList<>();
            AtomicInteger succeeded = new AtomicInteger();
            for (int number = 0; number < 4; number++) {
                CuratorFramework client = place.client();
                workers.add(Fixture.beside(() -> {
                    PromotedToLock lock = PromotedToLock.builder().lockPath("/lock").retryPolicy(new RetryNTimes(100, 2)).build();
                    DistributedAtomicLong value = new DistributedAtomicLong(client, "/long", new RetryNTimes(3, 2), lock);
                    for (int round = 0; round < 10; round++) {
                        succeeded.addAndGet(value.add(3L).succeeded() ? 1 : 0);
                    }
                    return null;
                }));
            }
            for (Future<Object> worker : workers) {
                Fixture.result(worker);
            }
            DistributedAtomicLong value = new DistributedAtomicLong(place.client(), "/long", new RetryNTimes(3, 2));
            Fixture.same(40, succeeded.get());
            Fixture.same(120L, value.get().postValue());
        });
        claims.put("an atomic integer compares before it sets", place -> {
            DistributedAtomicInteger value = new DistributedAtomicInteger(place.client(), "/integer", new RetryNTimes(3, 2));
            Fixture.check(value.initialize(5), "it is new");
            Fixture.check(!value.initialize(6), "it is not new any more");
            Fixture.check(!value.compareAndSet(4, 9).succeeded(), "it is not 4");
            Fixture.check(value.compareAndSet(5, 9).succeeded(), "it is 5");
            Fixture.same(9, value.get().postValue());
            Fixture.same(10, value.increment().postValue());
        });
    }
}
