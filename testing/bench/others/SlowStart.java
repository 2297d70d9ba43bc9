import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A service that takes five seconds to start. It answers 200 and its epoch while it leads, otherwise 503. */
public class SlowStart {
    private static final long START_MILLIS = 5000;
    private static volatile String epoch;

    public static void main(String[] args) throws Exception {
        Thread.sleep(START_MILLIS); // Caches, pools, connections: what services do at their start.
        if ("leader".equals(System.getenv("INCUMBENT_ROLE"))) {
            epoch = System.getenv("INCUMBENT_EPOCH");
        }
        InetSocketAddress at = new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0]));
        HttpServer server = HttpServer.create(at, 0);
        server.createContext("/", exchange -> {
            String leads = epoch;
            byte[] body = (leads == null ? "-" : leads).getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(leads == null ? 503 : 200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        if ("standby".equals(System.getenv("INCUMBENT_ROLE"))) {
            follow(System.getenv("INCUMBENT_RECORDS_SOCKET"));
        }
    }

    private static void follow(String socket) throws Exception {
        BufferedReader lines = ask(socket, "GET", "/v1/role/events");
        Pattern role = Pattern.compile("\"role\":\"([a-z-]+)\",\"number\":(\\d+),\"epoch\":(\\w+)");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Matcher told = role.matcher(line);
            if (!told.find()) {
                continue; // The head of the answer, and lengths of chunks.
            }
            epoch = told.group(1).equals("leader") ? told.group(3) : null;
            if (told.group(1).equals("stepping-down")) {
                ask(socket, "POST", "/v1/role/acknowledge?number=" + told.group(2)).readLine();
            }
        }
    }

    private static BufferedReader ask(String socket, String method, String path) throws Exception {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(socket));
        String request = method + " " + path + " HTTP/1.1\r\nHost: records\r\nContent-Length: 0\r\n\r\n";
        channel.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.UTF_8)));
        return new BufferedReader(new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8));
    }
}
