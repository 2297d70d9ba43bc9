import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** Submits a streaming SQL job to the leader, which Flink's own client finds in the HA data, and prints the job's id. */
public final class Submit {
    public static void main(String[] arguments) throws Exception {
        // As it is named: up to 1.18, getExecutionEnvironment starts a cluster of its own, whatever the target is.
        StreamExecutionEnvironment environment =
                new StreamExecutionEnvironment(GlobalConfiguration.loadConfiguration(arguments[0]));
        TableEnvironment tables = StreamTableEnvironment.create(environment);
        tables.executeSql("CREATE TEMPORARY TABLE numbers (n INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100',"
                + " 'fields.n.min' = '1', 'fields.n.max' = '10')");
        tables.executeSql("CREATE TEMPORARY TABLE nowhere (n INT, seen BIGINT) WITH ('connector' = 'blackhole')");
        // The counts are state, so every checkpoint contains them.
        TableResult inserting = tables.executeSql("INSERT INTO nowhere SELECT n, COUNT(*) FROM numbers GROUP BY n");
        System.out.println("job " + inserting.getJobClient().orElseThrow().getJobID());
        System.out.flush();
        // Ends Flink's threads, which would keep the process running.
        Runtime.getRuntime().halt(0);
    }
}
