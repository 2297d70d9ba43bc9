"""Access control lists and authentication."""

from kazoo.exceptions import AuthFailedError, InvalidACLError, NoAuthError
from kazoo.security import (
    ACL,
    CREATOR_ALL_ACL,
    OPEN_ACL_UNSAFE,
    READ_ACL_UNSAFE,
    Id,
    make_acl,
    make_digest_acl,
    make_digest_acl_credential,
)

from claims import Claims, KazooState, States

ALICE = make_digest_acl("alice", "secret", all=True)


class Access(Claims):
    def setUp(self):
        super().setUp()
        # So that this client may delete her nodes.
        self.outside.add_auth("digest", "alice:secret")

    def alice(self):
        client = self.another()
        client.add_auth("digest", "alice:secret")
        return client

    def test_a_node_is_open_unless_told_otherwise(self):
        self.zk.create("/a")
        acls, stat = self.zk.get_acls("/a")
        self.assertEqual(acls, OPEN_ACL_UNSAFE)
        self.assertEqual(stat.aversion, 0)

    def test_only_whom_the_list_names_may_do_anything(self):
        alice = self.alice()
        alice.create("/hers", b"private", acl=[ALICE])
        self.assertEqual(alice.get("/hers")[0], b"private")
        for refused in [
            lambda: self.zk.get("/hers"),
            lambda: self.zk.set("/hers", b""),
            lambda: self.zk.get_children("/hers"),
            lambda: self.zk.create("/hers/child"),
            lambda: self.zk.get_acls("/hers"),
            lambda: self.zk.set_acls("/hers", OPEN_ACL_UNSAFE),
        ]:
            with self.assertRaises(NoAuthError):
                refused()
        self.assertTrue(self.zk.exists("/hers"))  # that it is there is no secret

    def test_deleting_is_a_right_on_the_parent(self):
        alice = self.alice()
        alice.create("/open", acl=OPEN_ACL_UNSAFE)
        alice.create("/open/hers", acl=[ALICE])
        self.zk.delete("/open/hers")
        alice.create("/closed", acl=[ALICE])
        alice.create("/closed/open", acl=OPEN_ACL_UNSAFE)
        with self.assertRaises(NoAuthError):
            self.zk.delete("/closed/open")
        alice.delete("/closed", recursive=True)

    def test_a_wrong_password_is_somebody_else(self):
        self.alice().create("/hers", acl=[ALICE])
        mallory = self.another()
        self.assertTrue(mallory.add_auth("digest", "alice:guess"))
        with self.assertRaises(NoAuthError):
            mallory.get("/hers")

    def test_credentials_can_be_given_at_the_start(self):
        self.alice().create("/hers", b"x", acl=[ALICE])
        client = self.another(auth_data=[("digest", "bob:b"), ("digest", "alice:secret")])
        self.assertEqual(client.get("/hers")[0], b"x")

    def test_credentials_outlive_a_dropped_connection(self):
        link = self.link()
        client = self.another(address=link.address)
        client.add_auth("digest", "alice:secret")
        client.create("/hers", b"x", acl=[ALICE])
        link.drop()
        self.assertEqual(client.retry(client.get, "/hers")[0], b"x")

    def test_an_unknown_scheme_fails_and_ends_the_session(self):
        client = self.another()
        states = States(client)
        with self.assertRaises(AuthFailedError):
            client.add_auth("no-such-scheme", "alice:secret")
        states.reach(KazooState.LOST)

    def test_rights_are_given_one_by_one(self):
        alice = self.alice()
        readable = [make_acl("world", "anyone", read=True), ALICE]
        alice.create("/read", b"x", acl=readable)
        self.assertEqual(self.zk.get("/read")[0], b"x")
        self.assertEqual(self.zk.get_children("/read"), [])
        for refused in [
            lambda: self.zk.set("/read", b""),
            lambda: self.zk.create("/read/child"),
            lambda: self.zk.set_acls("/read", OPEN_ACL_UNSAFE),
        ]:
            with self.assertRaises(NoAuthError):
                refused()
        alice.create("/write", b"x", acl=[make_acl("world", "anyone", write=True), ALICE])
        self.zk.set("/write", b"y")
        with self.assertRaises(NoAuthError):
            self.zk.get("/write")
        alice.create("/fill", b"x", acl=[make_acl("world", "anyone", create=True), ALICE])
        self.zk.create("/fill/child")
        with self.assertRaises(NoAuthError):
            self.zk.delete("/fill/child")
        alice.create("/rule", b"x", acl=[make_acl("world", "anyone", admin=True), ALICE])
        self.zk.set_acls("/rule", OPEN_ACL_UNSAFE)
        self.assertEqual(self.zk.get("/rule")[0], b"x")

    def test_the_creators_list_names_whoever_creates(self):
        alice = self.alice()
        alice.create("/hers", acl=CREATOR_ALL_ACL)
        acls, _ = alice.get_acls("/hers")
        self.assertEqual(acls, [ALICE])
        with self.assertRaises(NoAuthError):
            self.zk.get("/hers")

    def test_a_list_that_names_nobody_is_invalid(self):
        for acls in [
            CREATOR_ALL_ACL,  # nobody has authenticated
            [ACL(31, Id("no-such-scheme", "x"))],
            [ACL(31, Id("digest", "without-a-password"))],
            [ACL(31, Id("world", "somebody"))],
            [ACL(31, Id("ip", "not-an-address"))],
        ]:
            with self.subTest(acls=acls):
                with self.assertRaises(InvalidACLError):
                    self.zk.create("/a", acl=acls)
        self.zk.create("/a")
        with self.assertRaises(InvalidACLError):
            self.zk.set_acls("/a", CREATOR_ALL_ACL)

    def test_set_acls_counts_and_checks_its_own_version(self):
        alice = self.alice()
        alice.create("/a")
        self.assertEqual(alice.set_acls("/a", READ_ACL_UNSAFE + [ALICE], version=0).aversion, 1)
        acls, stat = alice.get_acls("/a")
        self.assertEqual(set(acls), set(READ_ACL_UNSAFE + [ALICE]))
        self.assertEqual((stat.aversion, stat.version), (1, 0))
        self.assertEqual(alice.set("/a", b"x", version=0).aversion, 1)

    def test_a_reader_does_not_see_the_digest_of_others(self):
        alice = self.alice()
        alice.create("/a", acl=READ_ACL_UNSAFE + [ALICE])
        acls, _ = self.zk.get_acls("/a")
        self.assertEqual([acl.id for acl in acls], [Id("world", "anyone"), Id("digest", "alice:x")])

    def test_an_address_can_be_named(self):
        self.zk.create("/here", b"x", acl=[ACL(31, Id("ip", "127.0.0.1"))])
        self.zk.create("/net", b"x", acl=[ACL(31, Id("ip", "127.0.0.0/8"))])
        self.zk.create("/far", b"x", acl=[ACL(31, Id("ip", "192.0.2.1")), ALICE])
        self.assertEqual(self.zk.get("/here")[0], b"x")
        self.assertEqual(self.zk.get("/net")[0], b"x")
        with self.assertRaises(NoAuthError):
            self.zk.get("/far")

    def test_a_digest_is_the_one_the_library_computes(self):
        credential = make_digest_acl_credential("alice", "secret")
        self.assertEqual(ALICE.id, Id("digest", credential))
        self.alice().create("/a", b"x", acl=[ACL(31, Id("digest", credential))])

    def test_a_transaction_is_refused_as_a_whole(self):
        self.alice().create("/hers", b"x", acl=[ALICE])
        transaction = self.zk.transaction()
        transaction.create("/mine")
        transaction.set_data("/hers", b"y")
        self.assertIsInstance(transaction.commit()[1], NoAuthError)
        self.assertIsNone(self.zk.exists("/mine"))
