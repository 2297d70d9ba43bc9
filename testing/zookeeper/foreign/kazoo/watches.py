"""Watches and their events, and the recipes that keep a view up to date."""

from kazoo.protocol.states import EventType, KeeperState
from kazoo.recipe.cache import TreeCache, TreeEvent

from claims import Claims, Events, eventually


class Watches(Claims):
    def test_a_watch_on_what_is_not_there_tells_of_its_creation(self):
        events = Events()
        self.assertIsNone(self.zk.exists("/a", watch=events))
        self.another().create("/a")
        event = events.next()
        self.assertEqual((event.type, event.path, event.state), (EventType.CREATED, "/a", KeeperState.CONNECTED))

    def test_a_watch_on_data_tells_of_change_and_of_deletion(self):
        for read in [self.zk.exists, self.zk.get]:
            self.zk.create("/a", b"1")
            events = Events()
            read("/a", watch=events)
            self.zk.set("/a", b"2")
            self.assertEqual(events.next().type, EventType.CHANGED)
            events = Events()
            read("/a", watch=events)
            self.zk.delete("/a")
            self.assertEqual(events.next().type, EventType.DELETED)

    def test_a_watch_on_children_tells_of_them_and_of_the_nodes_own_end(self):
        self.zk.create("/a")
        for include_data in [False, True]:
            events = Events()
            self.zk.get_children("/a", watch=events, include_data=include_data)
            self.zk.create("/a/b")
            self.assertEqual((events.next().type, events.next().path), (EventType.CHILD, "/a"))
            events = Events()
            self.zk.get_children("/a", watch=events, include_data=include_data)
            self.zk.delete("/a/b")
            self.assertEqual(events.next().type, EventType.CHILD)
        events = Events()
        self.zk.get_children("/a", watch=events)
        self.zk.delete("/a")
        self.assertEqual(events.next().type, EventType.DELETED)

    def test_a_watch_fires_once(self):
        self.zk.create("/a", b"")
        events = Events()
        self.zk.get("/a", watch=events)
        for _ in range(3):
            self.zk.set("/a", b"x")
        self.zk.sync("/a")
        self.assertEqual(events.types(), [EventType.CHANGED])

    def test_a_childs_data_does_not_wake_its_parents_watch(self):
        self.zk.ensure_path("/a/b")
        children, data = Events(), Events()
        self.zk.get_children("/a", watch=children)
        self.zk.get("/a", watch=data)
        self.zk.set("/a/b", b"x")
        self.zk.create("/a/b/c")
        self.zk.sync("/a")
        self.assertEqual((children.all, data.all), ([], []))

    def test_a_failed_read_leaves_no_watch(self):
        events = Events()
        with self.assertRaises(Exception):
            self.zk.get("/a", watch=events)
        self.zk.create("/a")
        self.zk.set("/a", b"x")
        self.zk.sync("/a")
        self.assertEqual(events.all, [])

    def test_two_clients_are_both_told(self):
        clients = [self.another() for _ in range(3)]
        watches = []
        for client in clients:
            watches.append(Events())
            client.exists("/a", watch=watches[-1])
        self.zk.create("/a")
        for events in watches:
            self.assertEqual(events.next().type, EventType.CREATED)

    def test_a_watch_hears_that_the_session_of_an_ephemeral_node_ended(self):
        other = self.another()
        other.create("/a", ephemeral=True)
        events, children = Events(), Events()
        self.zk.get("/a", watch=events)
        self.zk.get_children("/", watch=children)
        other.stop()
        self.assertEqual(events.next().type, EventType.DELETED)
        self.assertEqual(children.next().type, EventType.CHILD)


class Views(Claims):
    def test_a_data_watch_follows_a_node_through_its_life(self):
        seen = []

        @self.zk.DataWatch("/a")
        def watch(data, stat):
            seen.append((data, stat and stat.version))

        self.zk.create("/a", b"1")
        eventually("it is created", lambda: seen[-1] == (b"1", 0))
        self.zk.set("/a", b"2")
        eventually("it is changed", lambda: seen[-1] == (b"2", 1))
        self.zk.delete("/a")
        eventually("it is deleted", lambda: seen[-1] == (None, None))
        self.zk.create("/a", b"3")
        eventually("it is back", lambda: seen[-1] == (b"3", 0))
        self.assertEqual(seen[0], (None, None))

    def test_a_children_watch_follows_the_children(self):
        self.zk.create("/a")
        seen = []

        @self.zk.ChildrenWatch("/a")
        def watch(children):
            seen.append(sorted(children))

        self.zk.create("/a/b")
        eventually("one comes", lambda: seen[-1] == ["b"])
        self.zk.create("/a/c")
        eventually("another comes", lambda: seen[-1] == ["b", "c"])
        self.zk.delete("/a/b")
        eventually("one goes", lambda: seen[-1] == ["c"])

    def test_both_go_on_after_a_dropped_connection(self):
        self.zk.create("/a", b"0")
        link = self.link()
        client = self.another(address=link.address)
        data, children = [], []
        client.DataWatch("/a", lambda value, stat: data.append(value))
        client.ChildrenWatch("/a", lambda names: children.append(names))
        eventually("they have begun", lambda: data == [b"0"] and children == [[]])
        link.cut()
        self.zk.set("/a", b"1")
        self.zk.create("/a/b")
        link.mend()
        eventually("they have caught up", lambda: data[-1] == b"1" and children[-1] == ["b"])
        self.zk.set("/a", b"2")
        eventually("they follow", lambda: data[-1] == b"2")

    def test_a_tree_cache_holds_the_tree(self):
        self.zk.ensure_path("/tree/a")
        self.zk.set("/tree/a", b"1")
        cache, events = TreeCache(self.zk, "/tree"), Events()
        cache.listen(events)
        cache.start()
        self.addCleanup(cache.close)
        eventually("it is complete", lambda: any(event.event_type == TreeEvent.INITIALIZED for event in events.all))
        self.assertEqual(cache.get_data("/tree/a").data, b"1")
        self.zk.create("/tree/a/b", b"2")
        eventually("a grandchild is there", lambda: cache.get_data("/tree/a/b"))
        self.zk.set("/tree/a/b", b"3")
        eventually("it has changed", lambda: cache.get_data("/tree/a/b").data == b"3")
        self.assertEqual(cache.get_children("/tree/a"), {"b"})
        self.zk.delete("/tree/a", recursive=True)
        eventually("it is gone", lambda: cache.get_data("/tree/a") is None)
        kinds = [event.event_type for event in events.all]
        self.assertIn(TreeEvent.NODE_UPDATED, kinds)
        self.assertIn(TreeEvent.NODE_REMOVED, kinds)

    def test_a_tree_cache_catches_up_after_a_dropped_connection(self):
        self.zk.ensure_path("/tree/a")
        link = self.link()
        client = self.another(address=link.address)
        cache, events = TreeCache(client, "/tree"), Events()
        cache.listen(events)
        cache.start()
        self.addCleanup(cache.close)
        eventually("it is complete", lambda: any(event.event_type == TreeEvent.INITIALIZED for event in events.all))
        link.cut()
        self.zk.set("/tree/a", b"while it was away")
        self.zk.create("/tree/b", b"new")
        link.mend()
        eventually("a change is there", lambda: cache.get_data("/tree/a").data == b"while it was away")
        eventually("a new node is there", lambda: cache.get_data("/tree/b"))
