"""Nodes: what can be created, read, changed and deleted, and what is refused."""

import time

from kazoo.exceptions import (
    APIError,
    BadArgumentsError,
    BadVersionError,
    ConnectionLoss,
    KazooException,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    ReconfigDisabledError,
)
from kazoo.protocol.serialization import Create, GetChildren
from kazoo.security import OPEN_ACL_UNSAFE

from claims import Claims, KazooState, States, eventually


class Nodes(Claims):
    def test_a_node_has_the_data_and_stat_it_was_created_with(self):
        before = time.time() - 60
        self.assertEqual(self.zk.create("/a", b"first"), "/a")
        data, stat = self.zk.get("/a")
        self.assertEqual(data, b"first")
        self.assertEqual((stat.version, stat.cversion, stat.aversion), (0, 0, 0))
        self.assertEqual((stat.dataLength, stat.numChildren, stat.ephemeralOwner), (5, 0, 0))
        self.assertEqual(stat.czxid, stat.mzxid)
        self.assertEqual(stat.czxid, stat.pzxid)
        self.assertEqual(stat.ctime, stat.mtime)
        self.assertTrue(before < stat.created < time.time() + 60)
        self.assertEqual(stat.owner_session_id, None)

    def test_set_counts_versions_and_moves_mzxid_only(self):
        self.zk.create("/a", b"1")
        _, first = self.zk.get("/a")
        second = self.zk.set("/a", b"22")
        self.assertEqual((second.version, second.dataLength), (1, 2))
        self.assertGreater(second.mzxid, first.mzxid)
        self.assertEqual((second.czxid, second.pzxid), (first.czxid, first.pzxid))
        self.assertEqual(self.zk.get("/a"), (b"22", second))
        self.assertEqual(self.zk.exists("/a"), second)

    def test_children_count_in_their_parents_stat(self):
        self.zk.create("/a")
        _, stat = self.zk.get("/a")
        self.zk.create("/a/b")
        self.zk.create("/a/c")
        self.zk.delete("/a/b")
        names, after = self.zk.get_children("/a", include_data=True)
        self.assertEqual(names, ["c"])
        self.assertEqual((after.cversion, after.numChildren, after.version), (3, 1, 0))
        self.assertGreater(after.pzxid, stat.pzxid)
        self.assertEqual(after.mzxid, stat.mzxid)

    def test_create_with_stat_answers_the_stat(self):
        path, stat = self.zk.create("/a", b"data", include_data=True)
        self.assertEqual(path, "/a")
        self.assertEqual(self.zk.exists("/a"), stat)
        path, stat = self.zk.create("/s-", b"x", ephemeral=True, sequence=True, include_data=True)
        self.assertEqual(stat.ephemeralOwner, self.zk.client_id[0])
        self.assertEqual(self.zk.exists(path), stat)

    def test_sequential_nodes_count_in_ten_digits_per_parent(self):
        self.zk.create("/a")
        self.assertEqual(self.zk.create("/a/n-", sequence=True), "/a/n-0000000000")
        self.assertEqual(self.zk.create("/a/other", sequence=True), "/a/other0000000001")
        self.zk.delete("/a/other0000000001")
        self.assertEqual(self.zk.create("/a/n-", sequence=True), "/a/n-0000000002")  # a deletion does not count
        self.assertEqual(self.zk.create("/a/", sequence=True), "/a/0000000003")
        self.zk.create("/b")
        self.assertEqual(self.zk.create("/b/n-", sequence=True), "/b/n-0000000000")

    def test_an_ephemeral_node_ends_with_its_session(self):
        other = self.another()
        other.create("/mine", b"", ephemeral=True)
        other.create("/mine-", b"", ephemeral=True, sequence=True)
        self.assertEqual(self.zk.exists("/mine").ephemeralOwner, other.client_id[0])
        self.assertEqual(self.zk.exists("/mine").owner_session_id, other.client_id[0])
        other.stop()
        eventually("both are gone", lambda: self.zk.get_children("/") == [])

    def test_an_ephemeral_node_has_no_children(self):
        self.zk.create("/mine", ephemeral=True)
        with self.assertRaises(NoChildrenForEphemeralsError):
            self.zk.create("/mine/child")

    def test_a_node_is_created_once(self):
        self.zk.create("/a", b"first")
        with self.assertRaises(NodeExistsError):
            self.zk.create("/a", b"second")
        self.assertEqual(self.zk.get("/a")[0], b"first")

    def test_what_is_not_there_is_no_node(self):
        for refused in [
            lambda: self.zk.get("/no"),
            lambda: self.zk.set("/no", b""),
            lambda: self.zk.delete("/no"),
            lambda: self.zk.get_children("/no"),
            lambda: self.zk.get_children("/no", include_data=True),
            lambda: self.zk.create("/no/child"),
            lambda: self.zk.get_acls("/no"),
            lambda: self.zk.set_acls("/no", OPEN_ACL_UNSAFE),
        ]:
            with self.assertRaises(NoNodeError):
                refused()
        self.assertIsNone(self.zk.exists("/no"))

    def test_a_wrong_version_changes_nothing(self):
        self.zk.create("/a", b"0")
        self.zk.set("/a", b"1", version=0)
        for refused in [
            lambda: self.zk.set("/a", b"2", version=0),
            lambda: self.zk.set("/a", b"2", version=2),
            lambda: self.zk.delete("/a", version=0),
            lambda: self.zk.set_acls("/a", OPEN_ACL_UNSAFE, version=5),
        ]:
            with self.assertRaises(BadVersionError):
                refused()
        self.assertEqual(self.zk.get("/a")[0], b"1")
        self.zk.delete("/a", version=1)
        self.assertIsNone(self.zk.exists("/a"))

    def test_a_node_with_children_is_not_deleted_unless_recursively(self):
        self.zk.ensure_path("/a/b/c")
        with self.assertRaises(NotEmptyError):
            self.zk.delete("/a")
        self.zk.delete("/a", recursive=True)
        self.assertIsNone(self.zk.exists("/a"))

    def test_missing_parents_are_made(self):
        self.zk.create("/a/b/c", b"deep", makepath=True)
        self.assertEqual(self.zk.get("/a/b/c")[0], b"deep")
        self.assertTrue(self.zk.ensure_path("/a/b/c/d"))
        self.assertTrue(self.zk.ensure_path("/a/b/c/d"))

    def test_paths_and_data_are_any_unicode_and_bytes(self):
        everything = bytes(range(256))
        for name in ["ünïcödé", "日本語", "a b", "a%2Fb", "Ω…", "-.x", "..."]:
            self.assertEqual(self.zk.create("/" + name, everything), "/" + name)
            self.assertEqual(self.zk.get("/" + name)[0], everything)
            self.zk.create(f"/{name}/{name}", b"")
        self.assertEqual(self.zk.get_children("/日本語"), ["日本語"])

    def test_data_can_be_empty(self):
        self.zk.create("/a")
        self.assertEqual(self.zk.get("/a")[0], b"")
        self.zk.set("/a", b"x")
        self.zk.set("/a", b"")
        self.assertEqual(self.zk.get("/a")[0], b"")

    def test_an_invalid_path_is_refused_and_the_session_goes_on(self):
        session = self.outside.client_id[0]

        def refused_with(path):
            result = self.outside.handler.async_result()
            self.outside._call(Create(path, b"", OPEN_ACL_UNSAFE, 0), result)  # past the library's own checks
            result.wait(10)
            return result.exception

        for name in ["/", "/.", "/..", "/nul\0", "/control\u0001", "/delete\u007f", "/private\ue000", "/face\U0001f642", "/last\uffff"]:
            self.assertIsInstance(refused_with(self.root + name), BadArgumentsError, repr(name))
        self.assertIsInstance(refused_with("no-root"), BadArgumentsError)
        self.assertIsInstance(refused_with("//" + self.root), (BadArgumentsError, NoNodeError))
        for name in ["//b", "/./b", "/../b"]:
            self.assertIsInstance(refused_with(self.root + name), (BadArgumentsError, NoNodeError), name)
        self.assertEqual(self.outside.client_id[0], session)
        self.assertEqual(self.zk.get_children("/"), [])

    def test_create_flags_that_do_not_exist_are_bad_arguments(self):
        result = self.zk.handler.async_result()
        self.zk._call(Create(self.root + "/a", b"", OPEN_ACL_UNSAFE, 77), result)
        with self.assertRaises(BadArgumentsError):
            result.get(timeout=10)

    def test_the_old_get_children_request_answers_the_names_alone(self):
        self.zk.create("/a")
        result = self.outside.handler.async_result()
        self.outside._call(GetChildren(self.root, None), result)
        self.assertEqual(result.get(timeout=10), ["a"])

    def test_a_chroot_is_a_root(self):
        self.zk.ensure_path("/inner/deep")
        inner = self.client(chroot=self.root + "/inner")
        self.assertEqual(inner.create("/mine", b"1"), "/mine")
        self.assertEqual(inner.create("/s-", b"1", sequence=True), "/s-0000000002")
        self.assertEqual(sorted(inner.get_children("/")), ["deep", "mine", "s-0000000002"])
        self.assertEqual(self.zk.get("/inner/mine")[0], b"1")

    def test_the_root_is_there_and_stays(self):
        self.assertIn("zookeeper", self.outside.get_children("/"))
        with self.assertRaises(BadArgumentsError):
            self.outside.delete("/")
        with self.assertRaises(NodeExistsError):
            self.outside.create("/zookeeper")
        self.assertIn("quota", self.outside.get_children("/zookeeper"))

    def test_sync_answers_the_path_and_what_is_read_next_is_new(self):
        other = self.another()
        self.zk.create("/a", b"new")
        self.assertEqual(other.sync("/"), "/")
        self.assertEqual(other.get("/a")[0], b"new")
        self.assertEqual(other.sync("/not-there"), "/not-there")

    def test_requests_of_one_client_are_answered_in_order(self):
        self.zk.create("/a", b"")
        results = []
        for number in range(500):
            self.zk.set_async("/a", b"%d" % number)
            results.append(self.zk.get_async("/a"))
        values = [int(result.get(timeout=20)[0]) for result in results]
        self.assertEqual(values, list(range(500)))

    def test_data_of_nearly_a_mebibyte_is_kept(self):
        big = bytes(1_000_000)
        self.zk.create("/big", big)
        data, stat = self.zk.get("/big")
        self.assertEqual((data, stat.dataLength), (big, len(big)))

    def test_a_frame_above_the_limit_drops_the_connection_not_the_session(self):
        self.zk.create("/a", b"small")
        session = self.zk.client_id[0]
        states = States(self.zk)
        with self.assertRaises(ConnectionLoss):
            self.zk.set_async("/a", bytes((1 << 20) + 1000)).get(timeout=20)
        states.reach(KazooState.CONNECTED)
        eventually("it is connected again", lambda: self.zk.connected)
        self.assertEqual(self.zk.retry(self.zk.get, "/a")[0], b"small")
        self.assertEqual(self.zk.client_id[0], session)

    def test_ten_thousand_children_are_listed_and_end_with_their_session(self):
        other = self.another()
        self.zk.create("/many")
        for thousand in range(10):
            transaction = other.transaction()
            for number in range(1000):
                transaction.create(f"/many/child-{thousand * 1000 + number:016}", b"", ephemeral=True)
            for result in transaction.commit():
                self.assertIsInstance(result, str)
        names, stat = self.zk.get_children("/many", include_data=True)
        self.assertEqual(len(set(names)), 10_000)
        self.assertEqual((stat.numChildren, stat.cversion), (10_000, 10_000))
        other.stop()
        eventually("all are gone", lambda: self.zk.exists("/many").numChildren == 0)

    def test_reconfiguration_is_refused(self):
        with self.assertRaises(ReconfigDisabledError):
            self.outside.reconfig(joining="server.9=127.0.0.1:1:2;3", leaving=None, new_members=None)

    def test_errors_are_errors_of_the_api(self):
        for error in [NoNodeError, NodeExistsError, BadVersionError, NotEmptyError]:
            self.assertNotIsInstance(error(), APIError)
            self.assertIsInstance(error(), KazooException)
