import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.CuratorEvent;
import org.apache.curator.framework.api.transaction.CuratorOp;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/** Creating, reading, changing and deleting; transactions; access lists. */
final class Writing implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("all operations of a transaction are done, or none", place -> {
            CuratorFramework client = place.client();
            client.create().forPath("/a", "1".getBytes());
            CuratorOp check = client.transactionOp().check().withVersion(0).forPath("/a");
            CuratorOp create = client.transactionOp().create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/s-", new byte[0]);
            CuratorOp set = client.transactionOp().setData().withVersion(0).forPath("/a", "2".getBytes());
            List<CuratorTransactionResult> results = client.transaction().forOperations(check, create, set);
            Fixture.same("/s-0000000001", results.get(1).getResultPath());
            Fixture.same(1, results.get(2).getResultStat().getVersion());
            CuratorOp delete = client.transactionOp().delete().forPath("/s-0000000001");
            try {
                client.transaction().forOperations(delete, check, set);
                throw new AssertionError("a wrong version went through");
            } catch (KeeperException.BadVersionException refused) {
                List<OpResult> each = refused.getResults();
                Fixture.same(3, each.size());
                Fixture.same(Code.OK.intValue(), ((OpResult.ErrorResult) each.get(0)).getErr());
                Fixture.same(Code.BADVERSION.intValue(), ((OpResult.ErrorResult) each.get(1)).getErr());
                Fixture.same(Code.RUNTIMEINCONSISTENCY.intValue(), ((OpResult.ErrorResult) each.get(2)).getErr());
            }
            Fixture.check(client.checkExists().forPath("/s-0000000001") != null, "nothing was deleted");
        });
        claims.put("the older way to write a transaction works, too", place -> {
            CuratorFramework client = place.client();
            var results = legacy(client);
            Fixture.same(2, results.size());
            Fixture.same("2", new String(client.getData().forPath("/a")));
        });
        claims.put("a transaction creates containers and nodes with a time to live", place -> {
            CuratorFramework client = place.client();
            ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
            List<OpResult> results = zk.multi(List.of(
                    Op.create(place.whole("/container"), new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
                    Op.create(place.whole("/ttl"), new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 60_000)));
            Fixture.same(place.whole("/container"), ((OpResult.CreateResult) results.get(0)).getPath());
            Fixture.check(((OpResult.CreateResult) results.get(1)).getStat().getCzxid() > 0, "it comes with its stat");
            Fixture.check(client.checkExists().forPath("/ttl") != null, "it is there");
        });
        claims.put("several reads are one request", place -> {
            CuratorFramework client = place.client();
            client.create().forPath("/a", "1".getBytes());
            client.create().forPath("/a/b");
            ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
            List<OpResult> results = zk.multi(List.of(
                    Op.getData(place.whole("/a")), Op.getChildren(place.whole("/a")), Op.getData(place.whole("/none"))));
            Fixture.same("1", new String(((OpResult.GetDataResult) results.get(0)).getData()));
            Fixture.same(List.of("b"), ((OpResult.GetChildrenResult) results.get(1)).getChildren());
            Fixture.same(Code.NONODE.intValue(), ((OpResult.ErrorResult) results.get(2)).getErr());
        });
        claims.put("every kind of node can be created, and its stat names the owner of an ephemeral one only", place -> {
            CuratorFramework client = place.client();
            long session = client.getZookeeperClient().getZooKeeper().getSessionId();
            Stat stat = new Stat();
            client.create().storingStatIn(stat).withMode(CreateMode.PERSISTENT).forPath("/n", "1".getBytes());
            Fixture.same(0L, stat.getEphemeralOwner());
            client.create().storingStatIn(stat).withMode(CreateMode.EPHEMERAL).forPath("/e");
            Fixture.same(session, stat.getEphemeralOwner());
            Fixture.same("/s0000000002", client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath("/s"));
            Fixture.same("/f0000000003", client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/f"));
            client.create().storingStatIn(stat).withMode(CreateMode.CONTAINER).forPath("/c");
            Fixture.same(0L, stat.getEphemeralOwner());
            client.create().withTtl(70_000).storingStatIn(stat).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/t");
            Fixture.same(0L, stat.getEphemeralOwner());
            String sequential = client.create().withTtl(70_000).withMode(CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL).forPath("/u");
            Fixture.same("/u0000000006", sequential);
        });
        claims.put("a container goes after its last child", place -> {
            CuratorFramework client = place.client();
            client.create().creatingParentContainersIfNeeded().forPath("/deep/container/child");
            client.delete().forPath("/deep/container/child");
            Fixture.eventually("both go", () -> client.checkExists().forPath("/deep") == null);
        });
        claims.put("a node with a time to live goes when it was not written for that long", place -> {
            CuratorFramework client = place.client();
            client.create().withTtl(300).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/short");
            client.create().withTtl(300).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/parent");
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/parent/child");
            Fixture.eventually("it goes", () -> client.checkExists().forPath("/short") == null);
            Fixture.check(client.checkExists().forPath("/parent") != null, "one with children stays");
        });
        claims.put("a protected node is found again by its prefix", place -> {
            CuratorFramework client = place.client();
            String path = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/p-");
            Fixture.check(path.matches("/_c_[0-9a-f-]{36}-p-0000000000"), path);
            Fixture.check(client.checkExists().forPath(path) != null, "it is there");
        });
        claims.put("missing parents are created, and children deleted", place -> {
            CuratorFramework client = place.client();
            client.create().creatingParentsIfNeeded().forPath("/a/b/c/d", "deep".getBytes());
            Fixture.same("deep", new String(client.getData().forPath("/a/b/c/d")));
            Fixture.refused(Code.NOTEMPTY, () -> client.delete().forPath("/a"));
            client.delete().guaranteed().deletingChildrenIfNeeded().forPath("/a");
            Fixture.check(client.checkExists().forPath("/a") == null, "all are gone");
            client.checkExists().creatingParentsIfNeeded().forPath("/x/y/z");
            Fixture.check(client.checkExists().forPath("/x/y") != null, "parents are created by looking, too");
            Fixture.check(client.checkExists().forPath("/x/y/z") == null, "the node itself is not");
        });
        claims.put("create or set, and set or create", place -> {
            CuratorFramework client = place.client();
            client.create().orSetData().forPath("/a", "1".getBytes());
            client.create().orSetData().forPath("/a", "2".getBytes());
            Fixture.same("2", new String(client.getData().forPath("/a")));
            client.delete().quietly().forPath("/a");
            client.delete().quietly().forPath("/a");
            client.create().idempotent().forPath("/b", "1".getBytes());
            client.setData().idempotent().withVersion(0).forPath("/b", "2".getBytes());
            Fixture.refused(Code.NODEEXISTS, () -> client.create().forPath("/b"));
            Fixture.refused(Code.BADVERSION, () -> client.setData().withVersion(0).forPath("/b", "3".getBytes()));
            Fixture.refused(Code.NONODE, () -> client.setData().forPath("/none", new byte[0]));
        });
        claims.put("work in the background is answered in order", place -> {
            CuratorFramework client = place.client();
            BlockingQueue<CuratorEvent> events = new LinkedBlockingQueue<>();
            client.create().forPath("/a");
            for (int number = 0; number < 200; number++) {
                client.setData().inBackground((c, event) -> events.add(event)).forPath("/a", Integer.toString(number).getBytes());
            }
            for (int number = 1; number <= 200; number++) {
                Fixture.same(number, events.poll(20, TimeUnit.SECONDS).getStat().getVersion());
            }
            client.sync().forPath("/a");
            Fixture.same("199", new String(client.getData().forPath("/a")));
        });
        claims.put("data can be compressed, empty, or nothing", place -> {
            CuratorFramework client = place.client();
            byte[] zeros = new byte[2_000_000];
            client.create().compressed().forPath("/a", zeros);
            Fixture.check(Arrays.equals(zeros, client.getData().decompressed().forPath("/a")), "it comes back as it was");
            client.create().forPath("/empty", new byte[0]);
            Fixture.same(0, client.getData().forPath("/empty").length);
            ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
            zk.create(place.whole("/null"), null, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Fixture.same(null, zk.getData(place.whole("/null"), false, null));
            Fixture.same(0, zk.exists(place.whole("/null"), false).getDataLength());
        });
        claims.put("ephemeral nodes are listed by session, and all children counted", place -> {
            CuratorFramework client = place.client();
            client.create().creatingParentsIfNeeded().forPath("/a/b/c");
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/a/mine");
            client.create().withMode(CreateMode.EPHEMERAL).forPath("/mine");
            place.client().create().withMode(CreateMode.EPHEMERAL).forPath("/a/theirs");
            ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
            Fixture.same(new HashSet<>(List.of(place.whole("/a/mine"), place.whole("/mine"))), new HashSet<>(zk.getEphemerals()));
            Fixture.same(List.of(place.whole("/a/mine")), zk.getEphemerals(place.whole("/a")));
            Fixture.same(4, zk.getAllChildrenNumber(place.whole("/a")));
        });
        claims.put("what a digest protects is for whoever knows the password", place -> {
            CuratorFramework alice = place.client(CuratorFrameworkFactory.builder()
                    .connectString(place.address)
                    .sessionTimeoutMs(Fixture.TIMEOUT_MS)
                    .authorization("digest", "alice:secret".getBytes()));
            CuratorFramework bob = place.client();
            alice.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/hers", "x".getBytes());
            String digest = DigestAuthenticationProvider.generateDigest("alice:secret");
            Fixture.same(List.of(new ACL(ZooDefs.Perms.ALL, new Id("digest", digest))), alice.getACL().forPath("/hers"));
            Fixture.refused(Code.NOAUTH, () -> bob.getData().forPath("/hers"));
            Fixture.refused(Code.NOAUTH, () -> bob.setData().forPath("/hers", new byte[0]));
            Fixture.refused(Code.NOAUTH, () -> bob.getChildren().forPath("/hers"));
            Fixture.refused(Code.INVALIDACL, () -> bob.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/his"));
            place.killSession(alice);
            Fixture.eventually("she is known in a new session", () -> new String(alice.getData().forPath("/hers")).equals("x"));
            Stat before = alice.checkExists().forPath("/hers");
            alice.setACL().withVersion(before.getAversion()).withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath("/hers");
            Fixture.same("x", new String(bob.getData().forPath("/hers")));
            Fixture.refused(Code.BADVERSION, () -> bob.setACL().withVersion(0).withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath("/hers"));
        });
        claims.put("a session is told who it is", place -> {
            CuratorFramework client = place.client();
            ZooKeeper zk = client.getZookeeperClient().getZooKeeper();
            zk.addAuthInfo("digest", "alice:secret".getBytes());
            List<String> schemes = new ArrayList<>();
            zk.whoAmI().forEach(info -> schemes.add(info.getAuthScheme() + ":" + info.getUser()));
            Fixture.check(schemes.contains("digest:alice"), schemes.toString());
            Fixture.check(schemes.contains("ip:127.0.0.1"), schemes.toString());
        });
        claims.put("reconfiguration is refused, and the configuration can be read", place -> {
            CuratorFramework client = place.client();
            Fixture.refused(Code.RECONFIGDISABLED, () -> client.reconfig().joining("server.9=127.0.0.1:1:2;3").forEnsemble());
            Fixture.check(client.getConfig().forEnsemble() != null, "it can be read");
        });
    }

    @SuppressWarnings("deprecation")
    private static List<CuratorTransactionResult> legacy(CuratorFramework client) throws Exception {
        return List.copyOf(client.inTransaction()
                .create().forPath("/a", "1".getBytes())
                .and().setData().forPath("/a", "2".getBytes())
                .and().commit());
    }
}
