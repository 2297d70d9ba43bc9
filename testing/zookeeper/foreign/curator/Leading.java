import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;

/** Leader elections. */
final class Leading implements Main.Topic {
    @Override
    public void claims(Map<String, Main.Claim> claims) {
        claims.put("a latch has one leader, and another when it closes", place -> {
            List<LeaderLatch> latches = latches(place, 4);
            var leaders = new HashSet<String>();
            while (!latches.isEmpty()) {
                LeaderLatch leader = leader(latches);
                Fixture.check(leaders.add(leader.getId()), "each leads once");
                LeaderLatch witness = latches.get(latches.size() - 1);
                Fixture.same(leader.getId(), witness.getLeader().getId());
                Fixture.same(latches.size(), witness.getParticipants().size());
                leader.close();
                latches.remove(leader);
            }
            Fixture.same(4, leaders.size());
        });
        claims.put("a latch passes on when the leader's session is killed, and the leader is told", place -> {
            CuratorFramework doomed = place.client();
            LeaderLatch leader = new LeaderLatch(doomed, "/latch", "doomed");
            var told = new LinkedBlockingQueue<String>();
            leader.addListener(listener(told));
            leader.start();
            Fixture.check(leader.await(20, TimeUnit.SECONDS), "it leads");
            LeaderLatch heir = new LeaderLatch(place.client(), "/latch", "heir");
            heir.start();
            Fixture.eventually("the heir stands by", () -> heir.getParticipants().size() == 2);
            place.killSession(doomed);
            Fixture.check(heir.await(20, TimeUnit.SECONDS), "the heir leads");
            Fixture.same("leads", told.poll(20, TimeUnit.SECONDS));
            Fixture.same("leads no more", told.poll(20, TimeUnit.SECONDS));
            Fixture.eventually("the old leader stands again", () -> heir.getParticipants().size() == 2);
            heir.close();
            Fixture.same("leads", told.poll(20, TimeUnit.SECONDS));
            leader.close();
        });
        claims.put("a latch passes on when the leader is cut off for longer than its session", place -> {
            Link link = place.link();
            LeaderLatch leader = new LeaderLatch(place.client(link.address, 1000), "/latch", "cut off");
            leader.start();
            Fixture.check(leader.await(20, TimeUnit.SECONDS), "it leads");
            LeaderLatch heir = new LeaderLatch(place.client(), "/latch", "heir");
            heir.start();
            link.cut();
            Fixture.check(heir.await(20, TimeUnit.SECONDS), "the heir leads");
            Fixture.eventually("the other knows", () -> !leader.hasLeadership());
            link.mend();
            Fixture.eventually("both stand", () -> heir.getParticipants().size() == 2);
            Fixture.same("heir", heir.getLeader().getId());
            leader.close();
            heir.close();
        });
        claims.put("a latch that loses its connection for a moment leads again", place -> {
            Link link = place.link();
            LeaderLatch leader = new LeaderLatch(place.client(link.address, Fixture.TIMEOUT_MS), "/latch", "shaken");
            var told = new LinkedBlockingQueue<String>();
            leader.addListener(listener(told));
            leader.start();
            Fixture.same("leads", told.poll(20, TimeUnit.SECONDS));
            link.drop();
            Fixture.same("leads no more", told.poll(20, TimeUnit.SECONDS));
            Fixture.same("leads", told.poll(20, TimeUnit.SECONDS));
            leader.close();
        });
        claims.put("selected leaders take turns, one at a time", place -> {
            AtomicInteger inside = new AtomicInteger();
            BlockingQueue<String> turns = new LinkedBlockingQueue<>();
            List<LeaderSelector> selectors = new ArrayList<>();
            for (String name : List.of("a", "b", "c")) {
                LeaderSelector selector = new LeaderSelector(place.client(), "/selector", new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework client) throws Exception {
                        turns.add(name + inside.incrementAndGet());
                        Thread.sleep(5);
                        inside.decrementAndGet();
                    }
                });
                selector.setId(name);
                selector.autoRequeue();
                selector.start();
                selectors.add(selector);
            }
            var seen = new HashSet<String>();
            for (int turn = 0; turn < 12 || seen.size() < 3; turn++) {
                seen.add(turns.poll(20, TimeUnit.SECONDS));
            }
            Fixture.same(new HashSet<>(List.of("a1", "b1", "c1")), seen);
            // A selector that has just led does not take part until it has queued again.
            Fixture.eventually("all take part", () -> selectors.get(0).getParticipants().size() == 3);
            selectors.forEach(LeaderSelector::close);
        });
        claims.put("a selected leader is interrupted when its session is killed", place -> {
            CountDownLatch interrupted = new CountDownLatch(1);
            CountDownLatch leads = new CountDownLatch(1);
            CuratorFramework doomed = place.client();
            LeaderSelector selector = new LeaderSelector(doomed, "/selector", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) {
                    leads.countDown();
                    try {
                        Thread.sleep(Fixture.PATIENCE_MS);
                    } catch (InterruptedException now) {
                        interrupted.countDown();
                    }
                }
            });
            selector.start();
            Fixture.check(leads.await(20, TimeUnit.SECONDS), "it leads");
            CountDownLatch heirLeads = new CountDownLatch(1);
            LeaderSelector heir = new LeaderSelector(place.client(), "/selector", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework client) {
                    heirLeads.countDown();
                }
            });
            heir.start();
            place.killSession(doomed);
            Fixture.check(heirLeads.await(20, TimeUnit.SECONDS), "the heir leads");
            Fixture.check(interrupted.await(20, TimeUnit.SECONDS), "the old leader is interrupted");
            selector.close();
            heir.close();
        });
    }

    private static List<LeaderLatch> latches(Fixture place, int count) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            LeaderLatch latch = new LeaderLatch(place.client(), "/latch", "latch " + number);
            latch.start();
            latches.add(latch);
        }
        LeaderLatch last = latches.get(count - 1);
        Fixture.eventually("all stand", () -> last.getParticipants().size() == count);
        return latches;
    }

    private static LeaderLatch leader(List<LeaderLatch> latches) throws Exception {
        return Fixture.eventually("one leads", () -> {
            List<LeaderLatch> leaders = latches.stream().filter(LeaderLatch::hasLeadership).toList();
            Fixture.check(leaders.size() <= 1, "at most one leads");
            return leaders.isEmpty() ? null : leaders.get(0);
        });
    }

    private static LeaderLatchListener listener(BlockingQueue<String> told) {
        return new LeaderLatchListener() {
            @Override
            public void isLeader() {
                told.add("leads");
            }

            @Override
            public void notLeader() {
                told.add("leads no more");
            }
        };
    }
}
