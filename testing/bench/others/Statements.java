import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/**
 * Submits jobs: one for each line on the standard input, of words with tabs between: the number of tasks, the milliseconds
 * between checkpoints, whether it has mini-batches, and SQL statements, the last of which is the job.
 */
public final class Statements {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println("job " + submit(arguments[0], line.split("\t")));
        }
        // Ends Flink's threads, which would keep the process running.
        Runtime.getRuntime().halt(0);
    }

    private static String submit(String config, String[] words) throws Exception {
        Configuration configuration = GlobalConfiguration.loadConfiguration(config);
        configuration.setString("parallelism.default", words[0]);
        configuration.setString("execution.checkpointing.interval", words[1] + " ms");
        configuration.setString("table.local-time-zone", "UTC");
        if (words[2].equals("true")) {
            configuration.setString("table.exec.mini-batch.enabled", "true");
            configuration.setString("table.exec.mini-batch.allow-latency", "1 s");
            configuration.setString("table.exec.mini-batch.size", "100000");
        }
        EnvironmentSettings settings = EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build();
        TableEnvironment tables = TableEnvironment.create(settings);
        TableResult result = null;
        for (int word = 3; word < words.length; word++) {
            result = tables.executeSql(words[word]);
        }
        return result.getJobClient().orElseThrow().getJobID().toString();
    }
}
