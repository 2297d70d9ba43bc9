"""Counters, queues, barriers, parties and partitions."""

import threading

from claims import Claims, eventually, in_thread


class Counters(Claims):
    def test_increments_of_many_clients_are_all_counted(self):
        def work():
            counter = self.another().Counter("/counter")
            for _ in range(10):
                counter += 2
                counter -= 1

        for thread in [in_thread(work) for _ in range(4)]:
            thread.result()
        self.assertEqual(self.zk.Counter("/counter").value, 40)

    def test_a_counter_can_be_a_fraction_and_have_a_default(self):
        counter = self.zk.Counter("/counter", default=1.5)
        counter += 1.25
        self.assertEqual((counter.value, counter.pre_value, counter.post_value), (2.75, 1.5, 2.75))

    def test_a_counter_of_curator_is_four_bytes(self):
        counter = self.zk.Counter("/counter", default=1, support_curator=True)
        counter += 41
        self.assertEqual(self.zk.get("/counter")[0], b"\0\0\0\x2a")


class Queues(Claims):
    def test_a_queue_gives_each_entry_once_by_priority(self):
        queue = self.zk.Queue("/queue")
        self.assertIsNone(queue.get())
        queue.put(b"later", priority=200)
        queue.put(b"one")
        queue.put(b"two")
        queue.put(b"first", priority=1)
        self.assertEqual(len(queue), 4)
        self.assertEqual([queue.get() for _ in range(5)], [b"first", b"one", b"two", b"later", None])

    def test_consumers_share_a_queue_without_loss_or_duplicates(self):
        queue = self.zk.Queue("/queue")
        for number in range(40):
            queue.put(b"%d" % number)

        def consume():
            mine, queue = [], self.another().Queue("/queue")
            while (entry := queue.get()) is not None:
                mine.append(int(entry))
            return mine

        taken = [thread.result() for thread in [in_thread(consume) for _ in range(3)]]
        self.assertEqual(sorted(sum(taken, [])), list(range(40)))

    def test_a_locking_queue_keeps_an_entry_until_it_is_consumed(self):
        queue, other = self.zk.LockingQueue("/queue"), self.another().LockingQueue("/queue")
        queue.put_all([b"one", b"two"])
        self.assertEqual(queue.get(5), b"one")
        self.assertTrue(queue.holds_lock())
        self.assertEqual(queue.get(5), b"one")
        self.assertEqual(other.get(5), b"two")
        self.assertTrue(queue.consume())
        self.assertTrue(other.release())
        self.assertEqual(queue.get(5), b"two")
        self.assertTrue(queue.consume())
        self.assertFalse(queue.consume())
        self.assertEqual(len(queue), 0)

    def test_a_locking_queue_gives_back_what_an_ended_session_held(self):
        holder = self.another()
        queue = self.zk.LockingQueue("/queue")
        queue.put(b"work")
        self.assertEqual(holder.LockingQueue("/queue").get(5), b"work")
        self.assertIsNone(queue.get(0.1))
        holder.stop()
        self.assertEqual(queue.get(10), b"work")

    def test_a_consumer_waits_for_an_entry(self):
        queue = self.zk.LockingQueue("/queue")
        thread = in_thread(queue.get, 15)
        self.another().LockingQueue("/queue").put(b"work")
        self.assertEqual(thread.result(), b"work")


class Barriers(Claims):
    def test_a_barrier_holds_until_it_is_removed(self):
        barrier = self.zk.Barrier("/barrier")
        self.assertTrue(barrier.wait(0))  # there is none
        barrier.create()
        others = [in_thread(self.another().Barrier("/barrier").wait, 15) for _ in range(3)]
        self.assertFalse(self.zk.Barrier("/barrier").wait(0.1))
        self.assertTrue(all(other.waits() for other in others))
        self.assertTrue(barrier.remove())
        self.assertTrue(all(other.result() for other in others))
        self.assertFalse(barrier.remove())

    def test_a_double_barrier_lets_all_in_and_all_out_together(self):
        entered, left, may_leave = [], [], threading.Event()

        def work(name):
            barrier = self.another().DoubleBarrier("/barrier", 3, name)
            barrier.enter()
            entered.append(name)
            self.assertTrue(may_leave.wait(20))
            barrier.leave()
            left.append(name)

        threads = [in_thread(work, f"{number}") for number in range(2)]
        eventually("two have come", lambda: self.zk.exists("/barrier") and len(self.zk.get_children("/barrier")) == 2)
        self.assertEqual(entered, [])
        threads.append(in_thread(work, "2"))
        eventually("all are in", lambda: len(entered) == 3)
        self.assertEqual(left, [])
        may_leave.set()
        for thread in threads:
            thread.result()
        self.assertEqual(len(left), 3)


class Parties(Claims):
    def test_a_party_knows_who_is_there(self):
        others = [self.another() for _ in range(2)]
        self.zk.Party("/party", "me").join()
        for number, other in enumerate(others):
            other.Party("/party", f"guest {number}").join()
        party = self.zk.Party("/party", "me")
        self.assertEqual(sorted(party), ["guest 0", "guest 1", "me"])
        self.assertEqual(len(party), 3)
        others[0].stop()
        eventually("a guest has gone", lambda: sorted(party) == ["guest 1", "me"])

    def test_a_shallow_party_has_its_guests_in_the_names(self):
        other = self.another()
        mine, theirs = self.zk.ShallowParty("/party", "me"), other.ShallowParty("/party", "guest")
        mine.join()
        theirs.join()
        self.assertEqual(sorted(mine), ["guest", "me"])
        theirs.leave()
        self.assertEqual(list(mine), ["me"])

    def test_a_set_is_partitioned_among_those_present(self):
        everything = ("a", "b", "c", "d")

        def partitioner(client, name):
            return client.SetPartitioner("/parts", everything, identifier=name, time_boundary=0.3, max_reaction_time=0.1)

        def step(one):
            if one.release:
                one.release_set()
            elif one.allocating:
                one.wait_for_acquire(0.5)
            return one.acquired

        first = partitioner(self.zk, "first")
        eventually("one has all", lambda: step(first) and sorted(first) == list(everything))
        second = partitioner(self.another(), "second")

        def shared():
            both = [step(first), step(second)]
            return all(both) and len(list(first)) == len(list(second)) == 2

        eventually("they share", shared)
        self.assertEqual(sorted(list(first) + list(second)), list(everything))
        second.finish()
        first.finish()
