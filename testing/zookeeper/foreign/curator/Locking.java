import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.zookeeper.KeeperException;

/** Locks and semaphores. */
final class Locking implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("a mutex is held by one at a time", place -> {
            AtomicInteger inside = new AtomicInteger();
            AtomicInteger done = new AtomicInteger();
            List<Future<Object>> workers = new java.util.ArrayList<>();
            for (int number = 0; number < 4; number++) {
                CuratorFramework client = place.client();
                workers.add(Fixture.beside(() -> {
                    InterProcessMutex mutex = new InterProcessMutex(client, "/mutex");
                    for (int round = 0; round < 8; round++) {
                        mutex.acquire();
                        Fixture.same(1, inside.incrementAndGet());
                        inside.decrementAndGet();
                        done.incrementAndGet();
                        mutex.release();
                    }
                    return null;
                }));
            }
            for (Future<Object> worker : workers) {
                Fixture.result(worker);
            }
            Fixture.same(32, done.get());
        });
        claims.put("a mutex is reentrant, and another waits in vain", place -> {
            InterProcessMutex mutex = new InterProcessMutex(place.client(), "/mutex");
            InterProcessMutex other = new InterProcessMutex(place.client(), "/mutex");
            mutex.acquire();
            Fixture.check(mutex.acquire(1, TimeUnit.SECONDS), "once more");
            mutex.release();
            Fixture.check(!other.acquire(100, TimeUnit.MILLISECONDS), "the other has to wait");
            Fixture.same(1, mutex.getParticipantNodes().size());
            mutex.release();
            Fixture.check(other.acquire(20, TimeUnit.SECONDS), "now it is free");
            other.release();
        });
        claims.put("a mutex comes free when its holder's session is killed", place -> {
            CuratorFramework doomed = place.client();
            new InterProcessMutex(doomed, "/mutex").acquire();
            InterProcessMutex other = new InterProcessMutex(place.client(), "/mutex");
            Future<Boolean> waiting = Fixture.beside(() -> other.acquire(20, TimeUnit.SECONDS));
            Fixture.eventually("it waits", () -> other.getParticipantNodes().size() == 2);
            place.killSession(doomed);
            Fixture.check(Fixture.result(waiting), "the other has it");
        });
        claims.put("a holder can be asked to give a mutex back", place -> {
            InterProcessMutex mutex = new InterProcessMutex(place.client(), "/mutex");
            CountDownLatch asked = new CountDownLatch(1);
            mutex.makeRevocable(lock -> asked.countDown());
            mutex.acquire();
            CuratorFramework other = place.client();
            Revoker.attemptRevoke(other, mutex.getParticipantNodes().iterator().next());
            Fixture.check(asked.await(20, TimeUnit.SECONDS), "it is asked");
            mutex.release();
        });
        claims.put("readers share, a writer is alone", place -> {
            InterProcessReadWriteLock one = new InterProcessReadWriteLock(place.client(), "/lock");
            InterProcessReadWriteLock two = new InterProcessReadWriteLock(place.client(), "/lock");
            one.readLock().acquire();
            Fixture.check(two.readLock().acquire(20, TimeUnit.SECONDS), "both read");
            Fixture.check(!two.writeLock().acquire(100, TimeUnit.MILLISECONDS), "nobody writes");
            one.readLock().release();
            two.readLock().release();
            Fixture.check(two.writeLock().acquire(20, TimeUnit.SECONDS), "one writes");
            Fixture.check(two.readLock().acquire(20, TimeUnit.SECONDS), "and reads");
            Fixture.check(!one.readLock().acquire(100, TimeUnit.MILLISECONDS), "the other does not");
            two.writeLock().release();
            Fixture.check(one.readLock().acquire(20, TimeUnit.SECONDS), "now it reads");
        });
        claims.put("a semaphore has so many leases, and they come back", place -> {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(place.client(), "/semaphore", 2);
            CuratorFramework doomed = place.client();
            Lease first = semaphore.acquire();
            new InterProcessSemaphoreV2(doomed, "/semaphore", 2).acquire();
            Fixture.check(semaphore.acquire(100, TimeUnit.MILLISECONDS) == null, "two are out");
            Future<Lease> waiting = Fixture.beside(() -> semaphore.acquire(20, TimeUnit.SECONDS));
            place.killSession(doomed);
            Lease second = Fixture.result(waiting);
            Fixture.check(second != null, "a dead session gives its lease back");
            semaphore.returnAll(List.of(first, second));
            Fixture.same(2, semaphore.acquire(2, 20, TimeUnit.SECONDS).size());
        });
        claims.put("several locks are taken together or not at all", place -> {
            CuratorFramework client = place.client();
            InterProcessMultiLock both = new InterProcessMultiLock(client, List.of("/one", "/two"));
            InterProcessMutex two = new InterProcessMutex(place.client(), "/two");
            two.acquire();
            Fixture.check(!both.acquire(100, TimeUnit.MILLISECONDS), "one of them is held");
            Fixture.same(List.of(), children(client, "/one"));
            two.release();
            Fixture.check(both.acquire(20, TimeUnit.SECONDS), "both are free");
            both.release();
        });
        claims.put("a mutex of a semaphore is not reentrant", place -> {
            InterProcessSemaphoreMutex mutex = new InterProcessSemaphoreMutex(place.client(), "/mutex");
            mutex.acquire();
            Fixture.check(!mutex.acquire(100, TimeUnit.MILLISECONDS), "it is held");
            mutex.release();
            Fixture.check(mutex.acquire(20, TimeUnit.SECONDS), "it is free");
        });
    }

    // A container goes when it is empty, and on a busy machine it was never made.
    private static List<String> children(CuratorFramework client, String path) throws Exception {
        try {
            return client.getChildren().forPath(path);
        } catch (KeeperException.NoNodeException gone) {
            return List.of();
        }
    }
}
