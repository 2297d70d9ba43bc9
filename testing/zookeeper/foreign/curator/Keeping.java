import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.zookeeper.CreateMode;

/** Nodes that are kept, groups, queues and barriers. */
final class Keeping implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("a persistent node comes back when it is deleted or its session is killed", place -> {
            CuratorFramework doomed = place.client();
            CuratorFramework other = place.client();
            try (PersistentNode node = new PersistentNode(doomed, CreateMode.EPHEMERAL, false, "/node", "1".getBytes())) {
                node.start();
                Fixture.check(node.waitForInitialCreate(20, TimeUnit.SECONDS), "it is there");
                long first = other.checkExists().forPath("/node").getCzxid();
                other.delete().forPath("/node");
                long second = createdAfter(other, "/node", first);
                place.killSession(doomed);
                createdAfter(other, "/node", second);
                node.setData("2".getBytes());
                Fixture.eventually("it has changed", () -> new String(other.getData().forPath("/node")).equals("2"));
            }
            Fixture.eventually("closing deletes it", () -> other.checkExists().forPath("/node") == null);
        });
        claims.put("a protected sequential persistent node keeps its name", place -> {
            try (PersistentNode node = new PersistentNode(
                    place.client(), CreateMode.EPHEMERAL_SEQUENTIAL, true, "/member-", new byte[0])) {
                node.start();
                Fixture.check(node.waitForInitialCreate(20, TimeUnit.SECONDS), "it is there");
                String name = node.getActualPath();
                place.first().delete().forPath(name);
                Fixture.eventually("it is back", () -> place.first().checkExists().forPath(name) != null);
            }
        });
        claims.put("a node with a time to live is touched as long as someone keeps it, then goes", place -> {
            CuratorFramework client = place.client();
            PersistentTtlNode node = new PersistentTtlNode(client, "/ttl", 1500, "x".getBytes());
            node.start();
            Fixture.check(node.waitForInitialCreate(20, TimeUnit.SECONDS), "it is there");
            Fixture.eventually("it is touched", () -> {
                var touch = client.checkExists().forPath("/ttl/touch");
                return touch != null && touch.getVersion() > 1;
            });
            node.close();
            Fixture.eventually("it goes", () -> client.checkExists().forPath("/ttl") == null);
        });
        claims.put("a group knows its members", place -> {
            try (GroupMember one = new GroupMember(place.client(), "/group", "one", "1".getBytes())) {
                GroupMember two = new GroupMember(place.client(), "/group", "two", "2".getBytes());
                one.start();
                two.start();
                Fixture.eventually("both are there", () -> one.getCurrentMembers().size() == 2);
                Fixture.same("2", new String(one.getCurrentMembers().get("two")));
                two.close();
                Fixture.eventually("one has gone", () -> one.getCurrentMembers().size() == 1);
            }
        });
        claims.put("a queue hands each message to one consumer, in order", place -> {
            BlockingQueue<String> taken = new LinkedBlockingQueue<>();
            DistributedQueue<String> queue =
                    QueueBuilder.builder(place.client(), consumer(taken), serializer(), "/queue").lockPath("/lock").buildQueue();
            DistributedQueue<String> producer =
                    QueueBuilder.builder(place.client(), null, serializer(), "/queue").buildQueue();
            producer.start();
            for (int number = 0; number < 20; number++) {
                producer.put("message " + number);
            }
            Fixture.check(producer.flushPuts(20, TimeUnit.SECONDS), "all are put");
            queue.start();
            for (int number = 0; number < 20; number++) {
                Fixture.same("message " + number, taken.poll(20, TimeUnit.SECONDS));
            }
            producer.put("late");
            Fixture.same("late", taken.poll(20, TimeUnit.SECONDS));
            producer.close();
            queue.close();
        });
        claims.put("a simple queue waits for an element", place -> {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(place.client(), "/queue");
            SimpleDistributedQueue other = new SimpleDistributedQueue(place.client(), "/queue");
            Fixture.check(queue.poll() == null, "it is empty");
            Future<byte[]> waiting = Fixture.beside(() -> queue.poll(20, TimeUnit.SECONDS));
            other.offer("x".getBytes());
            Fixture.same("x", new String(Fixture.result(waiting)));
        });
        claims.put("a barrier holds until it is removed", place -> {
            DistributedBarrier barrier = new DistributedBarrier(place.client(), "/barrier");
            DistributedBarrier other = new DistributedBarrier(place.client(), "/barrier");
            barrier.setBarrier();
            Fixture.check(!other.waitOnBarrier(100, TimeUnit.MILLISECONDS), "it holds");
            Future<Boolean> waiting = Fixture.beside(() -> other.waitOnBarrier(20, TimeUnit.SECONDS));
            barrier.removeBarrier();
            Fixture.check(Fixture.result(waiting), "it is removed");
        });
        claims.put("a double barrier lets all in and all out together", place -> {
            List<Future<Boolean>> members = new ArrayList<>();
            for (int number = 0; number < 3; number++) {
                CuratorFramework client = place.client();
                members.add(Fixture.beside(() -> {
                    DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, "/barrier", 3);
                    return barrier.enter(20, TimeUnit.SECONDS) && barrier.leave(20, TimeUnit.SECONDS);
                }));
                if (number == 1) {
                    Fixture.eventually("two wait", () -> client.checkExists().forPath("/barrier") != null
                            && client.getChildren().forPath("/barrier").size() == 2);
                    Fixture.check(members.stream().noneMatch(Future::isDone), "for the third");
                }
            }
            for (Future<Boolean> member : members) {
                Fixture.check(Fixture.result(member), "it was in and out");
            }
        });
    }

    private static long createdAfter(CuratorFramework client, String path, long zxid) throws Exception {
        return Fixture.eventually(path + " is created again", () -> {
            var stat = client.checkExists().forPath(path);
            return stat != null && stat.getCzxid() > zxid ? stat.getCzxid() : null;
        });
    }

    private static QueueConsumer<String> consumer(BlockingQueue<String> taken) {
        return new QueueConsumer<>() {
            @Override
            public void consumeMessage(String message) {
                taken.add(message);
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {}
        };
    }

    private static QueueSerializer<String> serializer() {
        return new QueueSerializer<>() {
            @Override
            public byte[] serialize(String item) {
                return item.getBytes();
            }

            @Override
            public String deserialize(byte[] bytes) {
                return new String(bytes);
            }
        };
    }
}
