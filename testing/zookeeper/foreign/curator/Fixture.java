import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;

/** What a claim is checked with: clients below a node of its own, links that can be cut, and waiting for conditions. */
final class Fixture implements AutoCloseable {
    /** Far more than anything here takes, even on a busy machine. */
    static final int PATIENCE_MS = 25_000;

    static final int TIMEOUT_MS = 15_000;

    final String address;
    final String root = "curator-" + UUID.randomUUID().toString().substring(0, 13);
    private final List<CuratorFramework> clients = Collections.synchronizedList(new ArrayList<>());
    private final List<Link> links = new ArrayList<>();
    private final CuratorFramework first;

    Fixture(String address) throws Exception {
        this.address = address;
        this.first = client();
        first.usingNamespace(null).create().orSetData().forPath("/" + root);
    }

    /** A client whose root is this claim's node. Ends with it. */
    CuratorFramework client() throws Exception {
        return client(address, TIMEOUT_MS);
    }

    CuratorFramework client(String address, int timeoutMs) throws Exception {
        return client(CuratorFrameworkFactory.builder().connectString(address).sessionTimeoutMs(timeoutMs));
    }

    CuratorFramework client(CuratorFrameworkFactory.Builder builder) throws Exception {
        CuratorFramework client = builder.namespace(root)
                .connectionTimeoutMs(10_000)
                .maxCloseWaitMs(50)
                .retryPolicy(new RetryNTimes(400, 50))
                .build();
        clients.add(client);
        client.start();
        check(client.blockUntilConnected(PATIENCE_MS, TimeUnit.MILLISECONDS), "a client connects");
        return client;
    }

    /** The client of the fixture itself. */
    CuratorFramework first() {
        return first;
    }

    Link link() throws Exception {
        Link link = new Link(address);
        links.add(link);
        return link;
    }

    /** A path as the server knows it. */
    String whole(String path) {
        return "/" + root + path;
    }

    /** Ends the session of a client from outside: a second client of the same session closes it. */
    void killSession(CuratorFramework victim) throws Exception {
        ZooKeeper session = victim.getZookeeperClient().getZooKeeper();
        CountDownLatch connected = new CountDownLatch(1);
        Watcher watcher = event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
        };
        ZooKeeper killer = new ZooKeeper(address, TIMEOUT_MS, watcher, session.getSessionId(), session.getSessionPasswd());
        check(connected.await(PATIENCE_MS, TimeUnit.MILLISECONDS), "the session is taken over");
        killer.close();
    }

    interface Look<T> {
        T look() throws Exception;
    }

    /** Waits until there is a result that is neither null nor false. */
    static <T> T eventually(String what, Look<T> look) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_MS * 1_000_000L;
        while (true) {
            T found = look.look();
            if (found != null && !Boolean.FALSE.equals(found)) {
                return found;
            }
            check(System.nanoTime() < deadline, "waited " + PATIENCE_MS + " ms until " + what);
            Thread.sleep(5);
        }
    }

    static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError("it does not hold that " + what);
        }
    }

    static void same(Object expected, Object actual) {
        if (!Objects.deepEquals(expected, actual)) {
            throw new AssertionError("expected " + expected + ", but it is " + actual);
        }
    }

    interface Attempt {
        void run() throws Exception;
    }

    static void refused(KeeperException.Code code, Attempt attempt) throws Exception {
        try {
            attempt.run();
        } catch (KeeperException refusal) {
            same(code, refusal.code());
            return;
        }
        throw new AssertionError("it was not refused with " + code);
    }

    /** Runs work on a thread. */
    static <T> Future<T> beside(Callable<T> work) {
        CompletableFuture<T> outcome = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                outcome.complete(work.call());
            } catch (Throwable failure) {
                outcome.completeExceptionally(failure);
            }
        });
        thread.setDaemon(true);
        thread.start();
        return outcome;
    }

    static <T> T result(Future<T> future) throws Exception {
        return future.get(PATIENCE_MS, TimeUnit.MILLISECONDS);
    }

    @Override
    public void close() throws Exception {
        links.forEach(Link::mend);
        for (CuratorFramework client : clients.subList(1, clients.size())) {
            client.close();
        }
        first.usingNamespace(null).delete().quietly().deletingChildrenIfNeeded().forPath("/" + root);
        first.close();
        links.forEach(Link::close);
    }
}
