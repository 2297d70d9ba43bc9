import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;

/** Sessions: suspended, resumed, lost, killed. */
final class Sessions implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("a killed session is lost, its nodes go, and a new one begins", place -> {
            CuratorFramework client = place.client();
            long session = id(client);
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/mine");
            BlockingQueue<ConnectionState> states = states(client);
            place.killSession(client);
            until(states, ConnectionState.LOST);
            until(states, ConnectionState.RECONNECTED);
            Fixture.check(client.checkExists().forPath("/mine") == null, "its node is gone");
            Fixture.check(id(client) != session, "it is another session");
        });
        claims.put("a dropped connection is suspended and resumed", place -> {
            Link link = place.link();
            CuratorFramework client = place.client(link.address, Fixture.TIMEOUT_MS);
            long session = id(client);
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/mine");
            BlockingQueue<ConnectionState> states = states(client);
            link.drop();
            Fixture.same(ConnectionState.SUSPENDED, states.poll(20, TimeUnit.SECONDS));
            Fixture.same(ConnectionState.RECONNECTED, states.poll(20, TimeUnit.SECONDS));
            Fixture.same(session, id(client));
            Fixture.same(session, client.checkExists().forPath("/mine").getEphemeralOwner());
        });
        claims.put("a session that is cut off expires, and its client hears of it when it is back", place -> {
            Link link = place.link();
            CuratorFramework client = place.client(link.address, 1000);
            long session = id(client);
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/mine");
            BlockingQueue<ConnectionState> states = states(client);
            link.cut();
            CuratorFramework other = place.client();
            Fixture.eventually("its node goes", () -> other.checkExists().forPath("/mine") == null);
            until(states, ConnectionState.SUSPENDED);
            link.mend();
            until(states, ConnectionState.RECONNECTED);
            Fixture.eventually("a new session begins", () -> id(client) != 0 && id(client) != session);
        });
        claims.put("an expired session tells the client that it has expired", place -> {
            BlockingQueue<Watcher.Event.KeeperState> states = new LinkedBlockingQueue<>();
            Link link = place.link();
            try (ZooKeeper zk = new ZooKeeper(link.address, 1000, event -> states.add(event.getState()))) {
                Fixture.same(Watcher.Event.KeeperState.SyncConnected, states.poll(20, TimeUnit.SECONDS));
                zk.create(place.whole("/mine"), null, org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
                link.cut();
                Fixture.same(Watcher.Event.KeeperState.Disconnected, states.poll(20, TimeUnit.SECONDS));
                Fixture.eventually("its node goes", () -> place.first().checkExists().forPath("/mine") == null);
                link.mend();
                Fixture.same(Watcher.Event.KeeperState.Expired, states.poll(20, TimeUnit.SECONDS));
            }
        });
        claims.put("a session moves to another connection", place -> {
            BlockingQueue<Watcher.Event.KeeperState> states = new LinkedBlockingQueue<>();
            ZooKeeper first = place.client().getZookeeperClient().getZooKeeper();
            first.create(place.whole("/mine"), null, org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            try (ZooKeeper second = new ZooKeeper(
                    place.address, Fixture.TIMEOUT_MS, event -> states.add(event.getState()), first.getSessionId(), first.getSessionPasswd())) {
                Fixture.same(Watcher.Event.KeeperState.SyncConnected, states.poll(20, TimeUnit.SECONDS));
                Fixture.same(first.getSessionId(), second.getSessionId());
                Fixture.eventually("it works", () -> second.exists(place.whole("/mine"), false) != null);
            }
            Fixture.eventually("closing it ends it for both", () -> place.first().checkExists().forPath("/mine") == null);
        });
        claims.put("a wrong password is an expired session", place -> {
            BlockingQueue<Watcher.Event.KeeperState> states = new LinkedBlockingQueue<>();
            CuratorFramework client = place.client();
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/mine");
            try (ZooKeeper thief = new ZooKeeper(
                    place.address, Fixture.TIMEOUT_MS, event -> states.add(event.getState()), id(client), new byte[16])) {
                Fixture.same(Watcher.Event.KeeperState.Expired, states.poll(20, TimeUnit.SECONDS));
            }
            Fixture.check(client.checkExists().forPath("/mine") != null, "the session goes on");
        });
        claims.put("the timeout that was asked for is granted", place -> {
            CuratorFramework client = place.client(place.address, 20_000);
            Fixture.same(20_000, client.getZookeeperClient().getZooKeeper().getSessionTimeout());
        });
        claims.put("closing a client deletes its nodes at once", place -> {
            CuratorFramework client = place.client();
            for (int number = 0; number < 100; number++) {
                client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/n-");
            }
            client.close();
            Fixture.eventually("all are gone", () -> place.first().getChildren().forPath("/").isEmpty());
        });
    }

    private static long id(CuratorFramework client) throws Exception {
        return client.getZookeeperClient().getZooKeeper().getSessionId();
    }

    private static BlockingQueue<ConnectionState> states(CuratorFramework client) {
        BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
        client.getConnectionStateListenable().addListener((c, state) -> states.add(state));
        return states;
    }

    private static void until(BlockingQueue<ConnectionState> states, ConnectionState wanted) throws Exception {
        ConnectionState state;
        do {
            state = states.poll(20, TimeUnit.SECONDS);
            Fixture.check(state != null, wanted + " comes");
        } while (state != wanted);
    }
}
