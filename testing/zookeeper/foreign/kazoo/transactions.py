"""Transactions: all or nothing, and an answer for each operation."""

from kazoo.exceptions import (
    BadVersionError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)

from claims import Claims, Events, eventually


class Transactions(Claims):
    def test_all_operations_of_a_commit_are_done(self):
        self.zk.create("/old", b"old")
        self.zk.create("/gone", b"")
        transaction = self.zk.transaction()
        transaction.check("/old", version=0)
        transaction.create("/new", b"new")
        transaction.create("/new/child", b"below a node of the same transaction")
        transaction.create("/s-", b"", sequence=True)
        transaction.set_data("/old", b"newer", version=0)
        transaction.delete("/gone", version=0)
        checked, created, child, sequential, stat, deleted = transaction.commit()
        self.assertEqual((checked, created, child, deleted), (True, "/new", "/new/child", True))
        self.assertEqual(sequential, "/s-0000000003")
        self.assertEqual(stat.version, 1)
        self.assertEqual(self.zk.get("/old"), (b"newer", stat))
        self.assertIsNone(self.zk.exists("/gone"))

    def test_all_operations_of_a_commit_have_one_zxid(self):
        transaction = self.zk.transaction()
        transaction.create("/a")
        transaction.create("/b")
        transaction.create("/b/c")
        transaction.commit()
        stats = [self.zk.exists(path) for path in ["/a", "/b", "/b/c"]]
        self.assertEqual(len({stat.czxid for stat in stats}), 1)
        self.assertEqual(len({stat.ctime for stat in stats}), 1)

    def test_one_failure_undoes_all_and_each_operation_says_why(self):
        self.zk.create("/there", b"1")
        transaction = self.zk.transaction()
        transaction.create("/first")
        transaction.set_data("/there", b"2")
        transaction.create("/there")
        transaction.create("/after")
        transaction.delete("/there")
        first, second, failed, after, last = transaction.commit()
        self.assertIsInstance(first, RolledBackError)
        self.assertIsInstance(second, RolledBackError)
        self.assertIsInstance(failed, NodeExistsError)
        self.assertIsInstance(after, RuntimeInconsistency)
        self.assertIsInstance(last, RuntimeInconsistency)
        self.assertEqual(self.zk.get_children("/"), ["there"])
        data, stat = self.zk.get("/there")
        self.assertEqual((data, stat.version), (b"1", 0))

    def test_a_failure_uses_up_no_sequence_number_and_no_version(self):
        self.zk.create("/a")
        transaction = self.zk.transaction()
        transaction.create("/a/s-", sequence=True)
        transaction.check("/not-there", version=0)
        self.assertIsInstance(transaction.commit()[1], NoNodeError)
        self.assertEqual(self.zk.exists("/a").cversion, 0)
        self.assertEqual(self.zk.create("/a/s-", sequence=True), "/a/s-0000000000")

    def test_a_failed_check_refuses_the_rest(self):
        self.zk.create("/epoch", b"1")
        self.zk.set("/epoch", b"2")
        transaction = self.zk.transaction()
        transaction.check("/epoch", version=0)
        transaction.create("/by-an-old-leader")
        checked, created = transaction.commit()
        self.assertIsInstance(checked, BadVersionError)
        self.assertIsInstance(created, RuntimeInconsistency)
        self.assertIsNone(self.zk.exists("/by-an-old-leader"))

    def test_later_operations_see_earlier_ones(self):
        transaction = self.zk.transaction()
        transaction.create("/a", b"0")
        transaction.set_data("/a", b"1", version=0)
        transaction.check("/a", version=1)
        transaction.create("/a/b")
        transaction.delete("/a/b")
        transaction.delete("/a", version=1)
        transaction.create("/a", b"again")
        results = transaction.commit()
        self.assertFalse([result for result in results if isinstance(result, Exception)])
        data, stat = self.zk.get("/a")
        self.assertEqual((data, stat.version, stat.numChildren), (b"again", 0, 0))

    def test_a_node_with_children_is_not_deleted_either(self):
        self.zk.ensure_path("/a/b")
        transaction = self.zk.transaction()
        transaction.delete("/a")
        transaction.delete("/a/b")
        refused, _ = transaction.commit()
        self.assertIsInstance(refused, NotEmptyError)
        self.assertTrue(self.zk.exists("/a/b"))

    def test_an_empty_transaction_is_a_success(self):
        self.assertEqual(self.zk.transaction().commit(), [])

    def test_a_context_commits_at_its_end(self):
        with self.zk.transaction() as transaction:
            transaction.create("/a", b"1")
            transaction.create("/b", b"2", ephemeral=True)
            self.assertIsNone(self.zk.exists("/a"))
        self.assertEqual(self.zk.exists("/b").ephemeralOwner, self.zk.client_id[0])

    def test_a_commit_wakes_watches_a_failure_does_not(self):
        self.zk.create("/a")
        data, children = Events(), Events()
        self.zk.get("/a", watch=data)
        self.zk.get_children("/", watch=children)
        failing = self.zk.transaction()
        failing.set_data("/a", b"x")
        failing.create("/b")
        failing.check("/a", version=77)
        failing.commit()
        self.zk.sync("/")
        self.assertEqual((data.all, children.all), ([], []))
        working = self.zk.transaction()
        working.set_data("/a", b"x")
        working.create("/b")
        working.commit()
        self.assertEqual(data.next().path, "/a")
        self.assertEqual(children.next().path, "/")

    def test_competing_commits_on_one_version_have_one_winner(self):
        self.zk.create("/prize", b"")
        clients = [self.another() for _ in range(4)]
        for version in range(5):
            pending = []
            for number, client in enumerate(clients):
                transaction = client.transaction()
                transaction.check("/prize", version=version)
                transaction.set_data("/prize", b"%d" % number)
                transaction.create(f"/won-{version}")
                pending.append(transaction.commit_async())
            answers = [result.get(timeout=20) for result in pending]
            won = [number for number, answer in enumerate(answers) if answer[0] is True]
            self.assertEqual(len(won), 1)
            self.assertEqual(self.zk.get("/prize")[0], b"%d" % won[0])

    def test_the_ephemeral_nodes_of_a_transaction_end_with_its_session(self):
        other = self.another()
        with other.transaction() as transaction:
            transaction.create("/kept")
            transaction.create("/mine", ephemeral=True)
        other.stop()
        eventually("it is gone", lambda: self.zk.get_children("/") == ["kept"])
