import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.CuratorWatcher;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;

/** Watches: once or for good, on one node or a tree, across dropped connections. */
final class Watching implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("a persistent watch fires every time, for the node and its children's names", place -> {
            CuratorFramework client = place.client();
            EventRecorder told = new EventRecorder();
            client.watchers().add().withMode(AddWatchMode.PERSISTENT).usingWatcher((CuratorWatcher) told::add).forPath("/a");
            CuratorFramework writer = place.client();
            writer.create().forPath("/a");
            told.next("NodeCreated /a");
            writer.setData().forPath("/a", "1".getBytes());
            told.next("NodeDataChanged /a");
            writer.setData().forPath("/a", "2".getBytes());
            told.next("NodeDataChanged /a");
            writer.create().forPath("/a/b");
            told.next("NodeChildrenChanged /a");
            writer.setData().forPath("/a/b", "1".getBytes());
            writer.delete().forPath("/a/b");
            told.next("NodeChildrenChanged /a");
            writer.delete().forPath("/a");
            told.next("NodeDeleted /a");
            writer.create().forPath("/a");
            told.next("NodeCreated /a");
        });
        claims.put("a recursive watch fires for every node below, and tells of no children's lists", place -> {
            CuratorFramework client = place.client();
            EventRecorder told = new EventRecorder();
            client.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher((CuratorWatcher) told::add).forPath("/a");
            CuratorFramework writer = place.client();
            writer.create().creatingParentsIfNeeded().forPath("/a/b/c");
            told.next("NodeCreated /a");
            told.next("NodeCreated /a/b");
            told.next("NodeCreated /a/b/c");
            writer.setData().forPath("/a/b/c", "1".getBytes());
            told.next("NodeDataChanged /a/b/c");
            writer.create().forPath("/ab");
            writer.delete().deletingChildrenIfNeeded().forPath("/a");
            told.next("NodeDeleted /a/b/c");
            told.next("NodeDeleted /a/b");
            told.next("NodeDeleted /a");
        });
        claims.put("persistent watches outlive a dropped connection", place -> {
            Link link = place.link();
            CuratorFramework client = place.client(link.address, Fixture.TIMEOUT_MS);
            CuratorFramework writer = place.client();
            writer.create().forPath("/one");
            writer.create().forPath("/tree");
            EventRecorder one = new EventRecorder();
            EventRecorder tree = new EventRecorder();
            client.watchers().add().withMode(AddWatchMode.PERSISTENT).usingWatcher((CuratorWatcher) one::add).forPath("/one");
            client.watchers().add().withMode(AddWatchMode.PERSISTENT_RECURSIVE).usingWatcher((CuratorWatcher) tree::add).forPath("/tree");
            for (int round = 0; round < 3; round++) {
                link.drop();
                Fixture.eventually("it is back", () -> client.getZookeeperClient().isConnected() && client.checkExists().forPath("/one") != null);
                writer.setData().forPath("/one", new byte[0]);
                one.next("NodeDataChanged /one");
                writer.create().forPath("/tree/" + round);
                tree.next("NodeCreated /tree/" + round);
            }
        });
        claims.put("ordinary watches outlive a dropped connection, and tell what was missed", place -> {
            Link link = place.link();
            CuratorFramework client = place.client(link.address, Fixture.TIMEOUT_MS);
            CuratorFramework writer = place.client();
            for (String path : List.of("/changed", "/deleted", "/children", "/same")) {
                writer.create().forPath(path);
            }
            ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
            EventRecorder changed = new EventRecorder(), deleted = new EventRecorder(), created = new EventRecorder(), children = new EventRecorder(), same = new EventRecorder();
            zk.getData(place.whole("/changed"), changed, null);
            zk.exists(place.whole("/deleted"), deleted);
            zk.exists(place.whole("/created"), created);
            zk.getChildren(place.whole("/children"), children);
            zk.getData(place.whole("/same"), same, null);
            zk.getChildren(place.whole("/same"), same);
            zk.exists(place.whole("/none"), same);
            link.cut();
            writer.setData().forPath("/changed", new byte[1]);
            writer.delete().forPath("/deleted");
            writer.create().forPath("/created");
            writer.create().forPath("/children/one");
            link.mend();
            changed.next("NodeDataChanged " + place.whole("/changed"));
            deleted.next("NodeDeleted " + place.whole("/deleted"));
            created.next("NodeCreated " + place.whole("/created"));
            children.next("NodeChildrenChanged " + place.whole("/children"));
            Fixture.same(0, same.events.size());
            writer.setData().forPath("/same", new byte[1]);
            same.next("NodeDataChanged " + place.whole("/same"));
            writer.create().forPath("/none");
            same.next("NodeCreated " + place.whole("/none"));
        });
        claims.put("thousands of watches are set again after a dropped connection", place -> {
            Link link = place.link();
            ZooKeeper zk = place.client(link.address, Fixture.TIMEOUT_MS).getZookeeperClient().getZooKeeper();
            EventRecorder told = new EventRecorder();
            // More than the client packs into one request.
            int count = 4000;
            for (int number = 0; number < count; number++) {
                zk.exists(place.whole("/not-yet-a-node-with-quite-a-long-name-" + number), told, (code, path, context, stat) -> {}, null);
            }
            zk.exists("/", false);
            link.drop();
            CuratorFramework writer = place.client();
            for (int number = 0; number < count; number += 500) {
                writer.create().forPath("/not-yet-a-node-with-quite-a-long-name-" + number);
                told.next("NodeCreated " + place.whole("/not-yet-a-node-with-quite-a-long-name-" + number));
            }
        });
        claims.put("an event comes before the answer that shows the change", place -> {
            CuratorFramework writer = place.client();
            writer.create().forPath("/a", "0".getBytes());
            ZooKeeper zk = place.client().getZookeeperClient().getZooKeeper();
            for (int number = 1; number <= 50; number++) {
                List<String> order = new ArrayList<>();
                BlockingQueue<String> answers = new LinkedBlockingQueue<>();
                zk.getData(place.whole("/a"), event -> order.add("event"), null);
                var written = writer.setData().inBackground();
                written.forPath("/a", Integer.toString(number).getBytes());
                String wanted = Integer.toString(number);
                // Events and answers come on one thread, in the order of the server.
                for (String answer = ""; !answer.equals(wanted); ) {
                    zk.getData(place.whole("/a"), false, (code, path, context, data, stat) -> {
                        order.add(new String(data));
                        answers.add(new String(data));
                    }, null);
                    answer = answers.poll(20, TimeUnit.SECONDS);
                }
                Fixture.check(order.indexOf("event") >= 0 && order.indexOf("event") < order.indexOf(wanted), order.toString());
            }
        });
        claims.put("a removed watch is silent, and one that is not there cannot be removed", place -> {
            CuratorFramework client = place.client();
            client.create().forPath("/a");
            ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
            EventRecorder kept = new EventRecorder(), removed = new EventRecorder();
            zk.addWatch(place.whole("/a"), removed, AddWatchMode.PERSISTENT);
            zk.getData(place.whole("/a"), kept, null);
            zk.removeWatches(place.whole("/a"), removed, Watcher.WatcherType.Any, false);
            removed.next("PersistentWatchRemoved " + place.whole("/a"));
            client.setData().forPath("/a", new byte[1]);
            kept.next("NodeDataChanged " + place.whole("/a"));
            Fixture.same(0, removed.events.size());
            Fixture.refused(Code.NOWATCHER, () -> zk.removeWatches(place.whole("/a"), removed, Watcher.WatcherType.Any, false));
            zk.getChildren(place.whole("/a"), kept);
            zk.removeAllWatches(place.whole("/a"), Watcher.WatcherType.Children, false);
            kept.next("ChildWatchRemoved " + place.whole("/a"));
        });
        claims.put("a watch through a chroot tells paths below it", place -> {
            place.first().create().forPath("/inner");
            try (ZooKeeper zk = new ZooKeeper(place.address + place.whole("/inner"), Fixture.TIMEOUT_MS, event -> {})) {
                EventRecorder told = new EventRecorder();
                zk.exists("/a", told);
                zk.addWatch("/", told, AddWatchMode.PERSISTENT_RECURSIVE);
                zk.create("/b", new byte[0], org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                told.next("NodeCreated /b");
            }
        });
    }

    /** Records the events of a watch about nodes. */
    static final class EventRecorder implements Watcher {
        final BlockingQueue<String> events = new LinkedBlockingQueue<>();

        void add(org.apache.zookeeper.WatchedEvent event) {
            process(event);
        }

        @Override
        public void process(org.apache.zookeeper.WatchedEvent event) {
            if (event.getType() != Event.EventType.None) {
                events.add(event.getType() + " " + event.getPath());
            }
        }

        void next(String expected) throws InterruptedException {
            Fixture.same(expected, events.poll(20, TimeUnit.SECONDS));
        }
    }
}
