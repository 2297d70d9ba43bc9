import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.ChildData;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;

/** Caches that follow nodes: with persistent watches, and with the older ones. */
@SuppressWarnings("deprecation")
final class Caching implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("a cache follows a tree", place -> {
            CuratorFramework writer = place.client();
            writer.create().creatingParentsIfNeeded().forPath("/tree/a/b", bytes("1"));
            try (CuratorCache cache = CuratorCache.build(place.client(), "/tree")) {
                BlockingQueue<String> events = new LinkedBlockingQueue<>();
                cache.listenable().addListener(CuratorCacheListener.builder()
                        .forCreates(node -> events.add("created " + node.getPath()))
                        .forChanges((old, now) -> events.add("changed " + now.getPath() + " " + text(old) + ">" + text(now)))
                        .forDeletes(node -> events.add("deleted " + node.getPath()))
                        .forInitialized(() -> events.add("initialized"))
                        .build());
                cache.start();
                for (String event = next(events); !event.equals("initialized"); event = next(events)) {
                    Fixture.check(event.startsWith("created /tree"), event);
                }
                Fixture.same(3, cache.size());
                writer.setData().forPath("/tree/a/b", bytes("2"));
                Fixture.same("changed /tree/a/b 1>2", next(events));
                writer.create().forPath("/tree/a/b/c", bytes("3"));
                Fixture.same("created /tree/a/b/c", next(events));
                Fixture.same("3", text(cache.get("/tree/a/b/c").orElseThrow()));
                writer.delete().deletingChildrenIfNeeded().forPath("/tree/a");
                Fixture.same("deleted /tree/a/b/c", next(events));
                Fixture.same("deleted /tree/a/b", next(events));
                Fixture.same("deleted /tree/a", next(events));
                writer.create().forPath("/beside", bytes("x"));
                writer.create().forPath("/tree/last", bytes("x"));
                Fixture.same("created /tree/last", next(events));
            }
        });
        claims.put("a cache catches up after a cut connection", place -> {
            CuratorFramework writer = place.client();
            writer.create().creatingParentsIfNeeded().forPath("/tree/a", bytes("1"));
            writer.create().creatingParentsIfNeeded().forPath("/tree/gone", bytes("1"));
            Link link = place.link();
            try (CuratorCache cache = CuratorCache.build(place.client(link.address, Fixture.TIMEOUT_MS), "/tree")) {
                cache.start();
                Fixture.eventually("it is complete", () -> cache.size() == 3);
                link.cut();
                writer.setData().forPath("/tree/a", bytes("2"));
                writer.create().forPath("/tree/b", bytes("new"));
                writer.delete().forPath("/tree/gone");
                link.mend();
                Fixture.eventually("a change is there", () -> text(cache.get("/tree/a").orElseThrow()).equals("2"));
                Fixture.eventually("a new node is there", () -> cache.get("/tree/b").isPresent());
                Fixture.eventually("a deleted one is not", () -> cache.get("/tree/gone").isEmpty());
                writer.setData().forPath("/tree/a", bytes("3"));
                Fixture.eventually("it goes on", () -> text(cache.get("/tree/a").orElseThrow()).equals("3"));
            }
        });
        claims.put("a cache goes on in a new session", place -> {
            CuratorFramework writer = place.client();
            writer.create().creatingParentsIfNeeded().forPath("/tree/a", bytes("1"));
            CuratorFramework doomed = place.client();
            try (CuratorCache cache = CuratorCache.build(doomed, "/tree")) {
                cache.start();
                Fixture.eventually("it is complete", () -> cache.size() == 2);
                place.killSession(doomed);
                writer.setData().forPath("/tree/a", bytes("2"));
                Fixture.eventually("a change is there", () -> text(cache.get("/tree/a").orElseThrow()).equals("2"));
                writer.setData().forPath("/tree/a", bytes("3"));
                Fixture.eventually("it goes on", () -> text(cache.get("/tree/a").orElseThrow()).equals("3"));
            }
        });
        claims.put("a cache of a single node ignores its children", place -> {
            CuratorFramework writer = place.client();
            try (CuratorCache cache = CuratorCache.build(place.client(), "/node", CuratorCache.Options.SINGLE_NODE_CACHE)) {
                cache.start();
                writer.create().forPath("/node", bytes("1"));
                Fixture.eventually("it is there", () -> cache.get("/node").isPresent());
                writer.create().forPath("/node/child", bytes("1"));
                writer.setData().forPath("/node", bytes("2"));
                Fixture.eventually("it has changed", () -> text(cache.get("/node").orElseThrow()).equals("2"));
                Fixture.same(1, cache.size());
                writer.delete().deletingChildrenIfNeeded().forPath("/node");
                Fixture.eventually("it is gone", () -> cache.size() == 0);
            }
        });
        claims.put("a tree cache follows a tree", place -> {
            CuratorFramework writer = place.client();
            writer.create().creatingParentsIfNeeded().forPath("/tree/a", bytes("1"));
            Link link = place.link();
            try (TreeCache cache = new TreeCache(place.client(link.address, Fixture.TIMEOUT_MS), "/tree")) {
                cache.start();
                Fixture.eventually("a node is there", () -> cache.getCurrentData("/tree/a") != null);
                writer.create().forPath("/tree/a/b", bytes("2"));
                Fixture.eventually("a grandchild is there", () -> cache.getCurrentData("/tree/a/b") != null);
                link.cut();
                writer.setData().forPath("/tree/a/b", bytes("3"));
                writer.create().forPath("/tree/c", bytes("4"));
                link.mend();
                Fixture.eventually("it has caught up", () -> cache.getCurrentChildren("/tree").size() == 2
                        && text(cache.getCurrentData("/tree/a/b")).equals("3"));
                writer.delete().deletingChildrenIfNeeded().forPath("/tree/a");
                Fixture.eventually("it is gone", () -> cache.getCurrentData("/tree/a") == null);
            }
        });
        claims.put("a path cache follows the children of a node", place -> {
            CuratorFramework writer = place.client();
            writer.create().creatingParentsIfNeeded().forPath("/path/a", bytes("1"));
            try (PathChildrenCache cache = new PathChildrenCache(place.client(), "/path", true)) {
                BlockingQueue<String> events = new LinkedBlockingQueue<>();
                cache.getListenable().addListener((client, event) -> {
                    // It may also report that its client is connected.
                    if (!event.getType().name().startsWith("CONNECTION_")) {
                        events.add(event.getType() + (event.getData() == null ? "" : " " + event.getData().getPath()));
                    }
                });
                cache.start(PathChildrenCache.StartMode.POST_INITIALIZED_EVENT);
                Fixture.same("CHILD_ADDED /path/a", next(events));
                Fixture.same("INITIALIZED", next(events));
                writer.setData().forPath("/path/a", bytes("2"));
                Fixture.same("CHILD_UPDATED /path/a", next(events));
                writer.create().forPath("/path/b", bytes("1"));
                Fixture.same("CHILD_ADDED /path/b", next(events));
                writer.delete().forPath("/path/a");
                Fixture.same("CHILD_REMOVED /path/a", next(events));
                Fixture.same(1, cache.getCurrentData().size());
            }
        });
        claims.put("a node cache follows a node through its life", place -> {
            CuratorFramework writer = place.client();
            try (NodeCache cache = new NodeCache(place.client(), "/node")) {
                cache.start(true);
                Fixture.check(cache.getCurrentData() == null, "there is none");
                writer.create().forPath("/node", bytes("1"));
                Fixture.eventually("it is there", () -> "1".equals(text(cache.getCurrentData())));
                writer.setData().forPath("/node", bytes("2"));
                Fixture.eventually("it has changed", () -> "2".equals(text(cache.getCurrentData())));
                writer.delete().forPath("/node");
                Fixture.eventually("it is gone", () -> cache.getCurrentData() == null);
                writer.create().forPath("/node", bytes("3"));
                Fixture.eventually("it is back", () -> "3".equals(text(cache.getCurrentData())));
            }
        });
    }

    private static byte[] bytes(String text) {
        return text.getBytes();
    }

    private static String text(ChildData node) {
        return node == null ? null : new String(node.getData());
    }

    private static String next(BlockingQueue<String> events) throws InterruptedException {
        return String.valueOf(events.poll(20, TimeUnit.SECONDS));
    }
}
