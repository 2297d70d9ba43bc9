import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/**
 * Submits counting jobs to the leader, which Flink's own client finds in the HA data: one for each line on the standard
 * input, of the number of tasks, whether it has mini-batches, and the file.
 */
public final class Counting {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ", 3);
            System.out.println("job " + submit(arguments[0], words[0], words[1], words[2]));
        }
        // Ends Flink's threads, which would keep the process running.
        Runtime.getRuntime().halt(0);
    }

    private static String submit(String config, String tasks, String miniBatch, String file) throws Exception {
        Configuration configuration = GlobalConfiguration.loadConfiguration(config);
        configuration.setString("parallelism.default", tasks);
        if (miniBatch.equals("true")) {
            configuration.setString("table.exec.mini-batch.enabled", "true");
            configuration.setString("table.exec.mini-batch.allow-latency", "1 s");
            configuration.setString("table.exec.mini-batch.size", "100000");
        }
        EnvironmentSettings settings = EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build();
        TableEnvironment tables = TableEnvironment.create(settings);
        // The number of a record is not asked for: neither system has to make an object of it.
        tables.executeSql("CREATE TEMPORARY TABLE records (`key` STRING) WITH ('connector' = 'filesystem', 'format' = 'json',"
                + " 'path' = 'file://" + file + "')");
        tables.executeSql("CREATE TEMPORARY TABLE nowhere (`key` STRING, total BIGINT) WITH ('connector' = 'blackhole')");
        TableResult inserting = tables.executeSql("INSERT INTO nowhere SELECT `key`, COUNT(*) FROM records GROUP BY `key`");
        return inserting.getJobClient().orElseThrow().getJobID().toString();
    }
}
