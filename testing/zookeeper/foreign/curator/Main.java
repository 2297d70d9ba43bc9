import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Curator's recipes and the ZooKeeper client below them, on the server at an address.
 *
 * <pre>java Main HOST:PORT [TOPIC...]</pre>
 *
 * One line for each claim; those of a topic run side by side, each below a node of its own. Exits with 1 if one does not hold.
 */
public final class Main {
    private static final Map<String, Topic> TOPICS = new LinkedHashMap<>();

    static {
        TOPICS.put("leading", new Leading());
        TOPICS.put("locking", new Locking());
        TOPICS.put("caching", new Caching());
        TOPICS.put("counting", new Counting());
        TOPICS.put("keeping", new Keeping());
        TOPICS.put("writing", new Writing());
        TOPICS.put("watching", new Watching());
        TOPICS.put("sessions", new Sessions());
    }

    /** A claim holds unless it throws. */
    interface Claim {
        void check(Fixture place) throws Exception;
    }

    interface Topic {
        void claims(Map<String, Claim> claims);
    }

    private record Verdict(String name, Throwable failure, long millis) {}

    public static void main(String[] args) throws Exception {
        String address = args[0];
        List<String> topics = args.length > 1 ? List.of(args).subList(1, args.length) : List.copyOf(TOPICS.keySet());
        int failures = 0;
        for (String topic : topics) {
            failures += run(address, topic);
        }
        System.out.flush();
        // Threads that a failed claim has left running do not matter.
        Runtime.getRuntime().halt(failures == 0 ? 0 : 1);
    }

    private static int run(String address, String topic) throws Exception {
        Map<String, Claim> claims = new LinkedHashMap<>();
        TOPICS.get(topic).claims(claims);
        var pool = Executors.newFixedThreadPool(6);
        Map<String, Future<Verdict>> running = new LinkedHashMap<>();
        claims.forEach((name, claim) -> running.put(name, pool.submit(() -> check(address, topic + ": " + name, claim))));
        int failures = 0;
        for (Future<Verdict> future : running.values()) {
            Verdict verdict = future.get();
            boolean holds = verdict.failure == null;
            System.out.printf("%s %s (%d ms)%n", holds ? "ok  " : "FAIL", verdict.name, verdict.millis);
            if (!holds) {
                verdict.failure.printStackTrace(System.out);
                failures++;
            }
        }
        pool.shutdownNow();
        return failures;
    }

    private static Verdict check(String address, String name, Claim claim) {
        long start = System.nanoTime();
        Throwable failure = null;
        try (Fixture place = new Fixture(address)) {
            claim.check(place);
        } catch (Throwable caught) {
            failure = caught;
        }
        return new Verdict(name, failure, (System.nanoTime() - start) / 1_000_000);
    }
}
