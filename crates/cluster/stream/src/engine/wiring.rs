//! [`Wiring`]: how a worker reaches the others.

use timely::communication::Allocator;
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::thread::Thread;
use timely::communication::allocator::zero_copy::allocator::TcpBuilder;
use timely::worker::Worker;

use super::report::now;

/// How a worker reaches the others. It can be made on one thread and used on another.
pub(crate) enum Wiring {
    /// There are no others.
    Alone,
    /// They are threads of this process.
    Threads(ProcessBuilder),
    /// They are other processes.
    Mesh(TcpBuilder),
}

impl Wiring {
    /// A worker for this thread.
    pub(crate) fn worker(self) -> Worker {
        let allocator = match self {
            Self::Alone => Allocator::Thread(Thread::default()),
            Self::Threads(builder) => Allocator::Process(builder.build()),
            Self::Mesh(builder) => Allocator::Tcp(builder.build()),
        };
        // Without a clock it never rests.
        Worker::new(timely::WorkerConfig::default(), allocator, Some(now()))
    }
}
