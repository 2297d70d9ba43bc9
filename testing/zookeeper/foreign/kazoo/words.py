"""The four-letter words, as monitors send them."""

import re
import socket

from claims import ADDRESS, Claims


def told(word):
    host, port = ADDRESS.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(word)
        answer = b""
        while read := connection.recv(1 << 16):
            answer += read
        return answer.decode()


class Words(Claims):
    def test_ruok_is_answered_imok(self):
        self.assertEqual(self.zk.command(b"ruok"), "imok")

    def test_the_version_is_that_of_a_server_of_this_protocol(self):
        version = self.zk.server_version()
        self.assertGreaterEqual(version, (3, 5, 0))
        self.assertLess(version, (4,))

    def test_srvr_tells_what_scripts_look_for(self):
        answer = told(b"srvr")
        self.assertRegex(answer, r"^Zookeeper version: \d+\.\d+\.\d+")
        for line in [
            r"^Latency min/avg/max: [\d.]+/[\d.]+/[\d.]+$",
            r"^Received: \d+$",
            r"^Sent: \d+$",
            r"^Connections: \d+$",
            r"^Outstanding: \d+$",
            r"^Zxid: 0x[0-9a-f]+$",
            r"^Mode: standalone$",
            r"^Node count: \d+$",
        ]:
            self.assertRegex(answer, re.compile(line, re.M))

    def test_stat_lists_the_clients(self):
        answer = told(b"stat")
        self.assertRegex(answer, re.compile(r"^Clients:\n( /127\.0\.0\.1:\d+\[\d\]\(.*\)\n)+", re.M))
        self.assertIn("Mode: standalone", answer)

    def test_cons_names_the_session_of_a_client(self):
        self.assertIn("sid=0x%x" % self.zk.client_id[0], told(b"cons"))

    def test_mntr_is_names_tabs_and_values(self):
        values = dict(line.split("\t", 1) for line in told(b"mntr").splitlines() if "\t" in line)
        self.assertEqual(values["zk_server_state"], "standalone")
        for name in ["zk_version", "zk_avg_latency", "zk_packets_received", "zk_num_alive_connections", "zk_znode_count",
                     "zk_watch_count", "zk_ephemerals_count", "zk_approximate_data_size", "zk_outstanding_requests"]:
            self.assertIn(name, values)
        self.assertGreaterEqual(int(values["zk_num_alive_connections"]), 2)

    def test_conf_and_envi_are_lines_of_names_and_values(self):
        configuration = told(b"conf")
        for name in ["clientPort", "tickTime", "maxClientCnxns", "minSessionTimeout", "maxSessionTimeout"]:
            self.assertRegex(configuration, re.compile(rf"^{name}=-?\d+$", re.M))
        self.assertIn("zookeeper.version=", told(b"envi"))

    def test_dump_names_sessions_with_ephemeral_nodes(self):
        self.zk.create("/mine", ephemeral=True)
        answer = told(b"dump")
        self.assertIn("0x%x" % self.zk.client_id[0], answer)
        self.assertIn(self.root + "/mine", answer)

    def test_watches_are_counted_and_listed(self):
        self.zk.create("/a")
        self.zk.get("/a", watch=lambda event: None)
        self.assertRegex(told(b"wchs"), r"\d+ connections watching \d+ paths\nTotal watches:\d+")
        self.assertIn(self.root + "/a", told(b"wchp"))
        self.assertIn(self.root + "/a", told(b"wchc"))

    def test_isro_says_that_it_writes(self):
        self.assertEqual(told(b"isro"), "rw")
