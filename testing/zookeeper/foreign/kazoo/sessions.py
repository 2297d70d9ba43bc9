"""Sessions: they outlive connections, expire without them, and a client with the password can take them over or end them."""

from kazoo.client import KazooClient, KeeperState
from kazoo.exceptions import KazooException
from kazoo.protocol.states import EventType

from claims import ADDRESS, Claims, Events, KazooState, States, end, eventually, in_thread


class Sessions(Claims):
    def test_a_dropped_connection_is_no_lost_session(self):
        link = self.link()
        client = self.another(address=link.address)
        session = client.client_id
        client.create("/mine", ephemeral=True)
        gone, states = Events(), States(client)
        self.zk.get("/mine", watch=gone)
        for _ in range(3):
            states.all.clear()
            link.drop()
            states.reach(KazooState.SUSPENDED)
            states.reach(KazooState.CONNECTED)
        self.assertEqual(client.client_id, session)
        self.assertEqual(client.retry(client.get, "/mine")[1].ephemeralOwner, session[0])
        self.assertEqual(gone.all, [])
        self.assertNotIn(KazooState.LOST, states.all)

    def test_a_session_expires_without_a_connection_and_its_nodes_go(self):
        link = self.link()
        client = self.another(address=link.address, timeout=1.0)
        session, states = client.client_id, States(client)
        client.create("/kept")
        client.create("/mine", ephemeral=True)
        gone = Events()
        self.zk.get("/mine", watch=gone)
        link.cut()
        self.assertEqual(gone.next().type, EventType.DELETED)
        self.assertEqual(self.zk.get_children("/"), ["kept"])
        states.reach(KazooState.SUSPENDED)
        link.mend()
        states.reach(KazooState.LOST)
        eventually("a new session begins", lambda: client.connected and client.client_id[0] != session[0])
        self.assertEqual(states.all, [KazooState.SUSPENDED, KazooState.LOST, KazooState.CONNECTED])
        self.assertEqual(client.retry(client.get_children, "/"), ["kept"])

    def test_pings_keep_an_idle_session(self):
        client = self.another(timeout=1.0)
        session, states = client.client_id[0], States(client)
        mine = client.create("/mine", ephemeral=True)
        gone = Events()
        self.zk.get(mine, watch=gone)
        probe = self.another(address=self.link().address, timeout=1.0)  # measures an expiry beside
        probe.create("/probe", ephemeral=True)
        self._links[0].cut()
        eventually("as long as an expiry takes", lambda: self.zk.exists("/probe") is None)
        self.assertEqual((gone.all, states.all, client.client_id[0]), ([], [], session))

    def test_a_session_can_be_taken_over_with_its_password(self):
        link = self.link()
        first = self.another(address=link.address)
        first.create("/mine", ephemeral=True)
        session = first.client_id
        link.cut()
        second = self.another(client_id=session)
        self.assertEqual(second.client_id, session)
        self.assertEqual(second.get("/mine")[1].ephemeralOwner, session[0])
        second.stop()
        eventually("closing it deletes the node", lambda: self.zk.exists("/mine") is None)

    def test_a_wrong_password_does_not_take_a_session_over(self):
        session, password = self.zk.client_id
        self.zk.create("/mine", ephemeral=True)
        wrong = bytes(byte ^ 1 for byte in password)
        thief = self.another(client_id=(session, wrong), start=False)
        thief.start_async()
        eventually("it has a session of its own", lambda: thief.connected and thief.client_id[0] != session)
        thief.stop()
        self.assertTrue(self.zk.exists("/mine"))
        self.assertEqual(self.zk.client_id, (session, password))

    def test_a_closed_session_is_not_resumed(self):
        other = self.another()
        session = other.client_id
        other.create("/mine", ephemeral=True)
        end(other)
        eventually("its node is gone", lambda: self.zk.exists("/mine") is None)
        late = self.another(client_id=session, start=False)
        states = States(late)
        late.start_async()
        eventually("it has another session", lambda: late.connected and late.client_id[0] != session[0])

    def test_whoever_closes_a_session_ends_it_for_the_other(self):
        victim = self.another()
        session, states = victim.client_id, States(victim)
        victim.create("/mine", ephemeral=True)
        killer = self.another(client_id=session)
        killer.stop()
        eventually("its node is gone", lambda: self.zk.exists("/mine") is None)
        states.reach(KazooState.LOST)
        eventually("it begins anew", lambda: victim.connected and victim.client_id[0] != session[0])

    def test_sessions_have_different_identities(self):
        clients = [self.another() for _ in range(5)]
        self.assertEqual(len({client.client_id[0] for client in clients}), 5)
        self.assertEqual(len({client.client_id[1] for client in clients}), 5)

    def test_a_request_made_while_cut_off_is_answered_later(self):
        link = self.link()
        client = self.another(address=link.address)
        client.create("/a", b"1")
        states = States(client)
        link.cut()
        states.reach(KazooState.SUSPENDED)
        thread = in_thread(client.get, "/a")
        link.mend()
        self.assertEqual(thread.result()[0], b"1")

    def test_a_client_that_stops_and_starts_has_a_new_session(self):
        client = self.another()
        session = client.client_id[0]
        client.create("/mine", ephemeral=True)
        client.restart()
        self.assertNotEqual(client.client_id[0], session)
        self.assertIsNone(client.exists("/mine"))

    def test_a_client_that_may_be_read_only_reaches_a_server_that_writes(self):
        client = self.another(read_only=True)
        self.assertEqual(client.client_state, KeeperState.CONNECTED)
        client.create("/a")

    def test_fifty_clients_work_at_once(self):
        self.zk.create("/a")
        clients = []
        for _ in range(50):
            client = KazooClient(ADDRESS + self.root, timeout=15.0)
            client.start_async()
            clients.append(client)
        try:
            for client in clients:
                eventually("it is connected", lambda: client.connected)
            results = [client.create_async("/a/n-", ephemeral=True, sequence=True) for client in clients]
            self.assertEqual(len({result.get(timeout=20) for result in results}), 50)
        finally:
            for client in clients:
                try:
                    client.stop()
                    client.close()
                except KazooException:
                    pass
        eventually("all are gone", lambda: self.zk.get_children("/a") == [])
