"""Locks of all kinds, elections and leases."""

import datetime
import threading

from kazoo.exceptions import CancelledError, LockTimeout

from claims import Claims, KazooState, States, eventually, in_thread


class Locks(Claims):
    def test_a_lock_is_held_by_one_at_a_time(self):
        inside, worst, done = [], [], []

        def work(name):
            client = self.another()
            for _ in range(5):
                with client.Lock("/lock", name):
                    inside.append(name)
                    worst.append(len(inside))
                    inside.remove(name)
                    done.append(name)

        for thread in [in_thread(work, f"worker {number}") for number in range(4)]:
            thread.result()
        self.assertEqual((len(done), max(worst)), (20, 1))

    def test_waiters_get_the_lock_in_the_order_they_came(self):
        first = self.zk.Lock("/lock", "first")
        first.acquire()
        order, threads = [], []

        def wait(name):
            with self.another().Lock("/lock", name):
                order.append(name)

        for name in ["second", "third", "fourth"]:
            threads.append(in_thread(wait, name))
            eventually(f"{name} waits", lambda: name in (first.contenders() or []))
        self.assertEqual(first.contenders(), ["first", "second", "third", "fourth"])
        self.assertEqual(order, [])
        first.release()
        for thread in threads:
            thread.result()
        self.assertEqual(order, ["second", "third", "fourth"])

    def test_a_lock_passes_on_when_its_holders_session_ends(self):
        holder = self.another()
        holder.Lock("/lock", "holder").acquire()
        waiting = self.zk.Lock("/lock", "heir")
        thread = in_thread(waiting.acquire)
        eventually("the heir waits", lambda: len(waiting.contenders()) == 2)
        holder.stop()
        self.assertTrue(thread.result())

    def test_not_blocking_says_no_and_leaves_nothing_behind(self):
        self.zk.Lock("/lock", "holder").acquire()
        other = self.another().Lock("/lock", "other")
        self.assertFalse(other.acquire(blocking=False))
        with self.assertRaises(LockTimeout):
            other.acquire(timeout=0.2)
        eventually("nobody waits", lambda: len(self.zk.get_children("/lock")) == 1)

    def test_a_waiter_can_be_cancelled(self):
        self.zk.Lock("/lock", "holder").acquire()
        other = self.another().Lock("/lock", "other")
        thread = in_thread(other.acquire)
        eventually("it waits", lambda: len(self.zk.get_children("/lock")) == 2)
        other.cancel()
        with self.assertRaises(CancelledError):
            thread.result()
        eventually("nobody waits", lambda: len(self.zk.get_children("/lock")) == 1)

    def test_a_released_lock_can_be_taken_again(self):
        lock = self.zk.Lock("/lock")
        for _ in range(3):
            self.assertTrue(lock.acquire())
            self.assertTrue(lock.is_acquired)
            self.assertTrue(lock.release())
            self.assertFalse(lock.is_acquired)

    def test_readers_share_and_a_writer_waits_for_all(self):
        readers = [self.another().ReadLock("/lock", f"reader {number}") for number in range(2)]
        for reader in readers:
            self.assertTrue(reader.acquire(timeout=10))
        writer = self.zk.WriteLock("/lock", "writer")
        self.assertFalse(writer.acquire(blocking=False))
        thread = in_thread(writer.acquire)
        eventually("the writer waits", lambda: "writer" in readers[0].contenders())
        late = self.another().ReadLock("/lock", "late")
        self.assertFalse(late.acquire(blocking=False))  # behind a writer
        readers[0].release()
        self.assertTrue(thread.waits())
        readers[1].release()
        self.assertTrue(thread.result())
        writer.release()
        self.assertTrue(late.acquire(timeout=10))

    def test_a_semaphore_lets_in_as_many_as_it_has_leases(self):
        inside = [self.another().Semaphore("/semaphore", f"{number}", max_leases=2) for number in range(2)]
        for semaphore in inside:
            self.assertTrue(semaphore.acquire())
        third = self.zk.Semaphore("/semaphore", "third", max_leases=2)
        self.assertFalse(third.acquire(blocking=False))
        self.assertEqual(sorted(third.lease_holders()), ["0", "1"])
        thread = in_thread(third.acquire)
        inside[0].release()
        self.assertTrue(thread.result())
        self.assertEqual(sorted(third.lease_holders()), ["1", "third"])

    def test_a_semaphores_lease_comes_free_with_its_session(self):
        holder = self.another()
        holder.Semaphore("/semaphore", "holder").acquire()
        thread = in_thread(self.zk.Semaphore("/semaphore", "heir").acquire)
        holder.stop()
        self.assertTrue(thread.result())

    def test_an_election_has_one_leader_and_then_the_next(self):
        leads, may_end, order = threading.Event(), threading.Event(), []

        def lead(name):
            order.append(name)
            leads.set()
            self.assertTrue(may_end.wait(20))

        elections = [self.another().Election("/election", name) for name in ["a", "b", "c"]]
        threads = []
        for election, name in zip(elections, ["a", "b", "c"]):
            threads.append(in_thread(election.run, lead, name))
            eventually(f"{name} stands", lambda: name in elections[0].contenders())
        self.assertTrue(leads.wait(20))
        self.assertEqual(order, ["a"])
        self.assertEqual(elections[1].contenders(), ["a", "b", "c"])
        elections[1].cancel()
        threads[1].result()
        may_end.set()
        threads[0].result()
        threads[2].result()
        self.assertEqual(order, ["a", "c"])

    def test_the_next_leads_when_the_leaders_session_expires(self):
        link = self.link()
        leader = self.another(address=link.address, timeout=1.0)
        states = States(leader)
        over, order = threading.Event(), []

        def lead(name):
            order.append(name)
            if name == "first":
                over.wait(20)

        first = in_thread(leader.Election("/election", "first").run, lead, "first")
        eventually("it leads", lambda: order == ["first"])
        second = in_thread(self.zk.Election("/election", "second").run, lead, "second")
        link.cut()
        second.result()
        self.assertEqual(order, ["first", "second"])
        self.assertIn(KazooState.SUSPENDED, states.all)
        link.mend()
        states.reach(KazooState.LOST)
        over.set()
        first.join(20)

    def test_a_lease_is_taken_once_renewed_by_its_holder_and_free_after_its_time(self):
        now = [datetime.datetime(2000, 1, 1)]

        def lease(client, name):
            return client.NonBlockingLease("/lease", datetime.timedelta(seconds=60), name, utcnow=lambda: now[0])

        other = self.another()
        self.assertTrue(lease(self.zk, "a"))
        self.assertFalse(lease(other, "b"))
        now[0] += datetime.timedelta(seconds=50)
        self.assertTrue(lease(self.zk, "a"))
        now[0] += datetime.timedelta(seconds=50)
        self.assertFalse(lease(other, "b"))
        now[0] += datetime.timedelta(seconds=11)
        self.assertTrue(lease(other, "b"))
        many = self.zk.MultiNonBlockingLease(2, "/leases", datetime.timedelta(seconds=60), "a")
        self.assertTrue(many)
