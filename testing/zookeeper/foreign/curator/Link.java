import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/** Forwards to the server, until it is cut. */
final class Link implements AutoCloseable {
    final String address;
    private final ServerSocket listener;
    private final String host;
    private final int port;
    private final List<Socket> open = new ArrayList<>();
    private boolean cut;

    Link(String server) throws IOException {
        int colon = server.lastIndexOf(':');
        host = server.substring(0, colon);
        port = Integer.parseInt(server.substring(colon + 1));
        listener = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        address = "127.0.0.1:" + listener.getLocalPort();
        start(this::accept);
    }

    /** Closes the present connections. New ones are let through. */
    synchronized void drop() {
        open.forEach(Link::close);
        open.clear();
    }

    /** Closes the present connections and refuses others. */
    synchronized void cut() {
        cut = true;
        drop();
    }

    synchronized void mend() {
        cut = false;
    }

    @Override
    public void close() {
        cut();
        try {
            listener.close();
        } catch (IOException ignored) {
            // Nothing is left to be closed.
        }
    }

    private void accept() {
        while (true) {
            try {
                Socket client = listener.accept();
                synchronized (this) {
                    if (cut) {
                        client.close();
                        continue;
                    }
                    Socket server = new Socket(host, port);
                    open.add(client);
                    open.add(server);
                    start(() -> forward(client, server));
                    start(() -> forward(server, client));
                }
            } catch (IOException closed) {
                if (listener.isClosed()) {
                    return;
                }
            }
        }
    }

    private static void forward(Socket from, Socket to) {
        byte[] buffer = new byte[1 << 16];
        try {
            from.setTcpNoDelay(true);
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                out.write(buffer, 0, read);
            }
        } catch (IOException dropped) {
            // The other direction gets an error too.
        } finally {
            close(from);
            close(to);
        }
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException ignored) {
            // It is closed all the same.
        }
    }

    private static void start(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }
}
