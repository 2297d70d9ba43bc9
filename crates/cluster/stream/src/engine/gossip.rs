//! [`Gossip`]: what the workers of a job say to each other beside the records.

use std::cell::RefCell;
use std::rc::Rc;

use timely::ExchangeData;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Input as _;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::Broadcast;
use timely::worker::Worker;

/// What each says, all hear, the one who said it too. It is a dataflow of its own, whose time
/// stands still: it holds up nothing.
pub(crate) struct Gossip<T: ExchangeData + Clone> {
    say: InputHandle<u64, CapacityContainerBuilder<Vec<T>>>,
    heard: Rc<RefCell<Vec<T>>>,
}

impl<T: ExchangeData + Clone> Gossip<T> {
    /// Every worker makes the same ones, in the same order.
    pub(crate) fn new(worker: &mut Worker, name: &str) -> Self {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let all = Rc::clone(&heard);
        let say = worker.dataflow::<u64, _, _>(|scope| {
            let (say, said) = scope.new_input::<Vec<T>>();
            said.broadcast().sink(Pipeline, name, move |(input, _)| {
                input.for_each(|_, batch| all.borrow_mut().append(batch));
            });
            say
        });
        Self { say, heard }
    }

    pub(crate) fn say(&mut self, said: T) {
        self.say.send(said);
        self.say.flush();
    }

    /// What was heard since the last call.
    pub(crate) fn heard(&self) -> Vec<T> {
        std::mem::take(&mut *self.heard.borrow_mut())
    }
}
