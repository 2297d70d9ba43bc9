//! One connection: reads frames, has the hub handle them, sends the replies and events.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Instant;

use incumbent_zk_proto::{ConnectRequest, Id};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tracing::{debug, info};

use super::end::End;
use super::greeting::{Greeting, greeting};
use super::hub::{Entered, Hub};
use super::outbound::NextStep;
use super::words;
use crate::machine::{Closed, Refused};

/// The other end of a connection.
pub(super) struct Caller {
    pub(super) address: SocketAddr,
    /// The identities that need no proof: the address, and the certificate if the client has one.
    pub(super) ids: Vec<Id>,
    pub(super) secure: bool,
    /// Why it may not open a session, if a limit of connections is reached.
    pub(super) full: Option<&'static str>,
}

/// Serves a connection to its end.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin>(
    hub: &Hub,
    mut stream: S,
    caller: Caller,
) {
    let address = caller.address;
    #[expect(clippy::disallowed_methods, reason = "shown to people")]
    let since = std::time::SystemTime::now();
    let entered = hub.enter(address, caller.secure, since);
    let end = match greeting(hub, &mut stream).await {
        Ok(Greeting::Word(word)) => {
            let answered = words::answer(hub, word, &mut stream).await;
            // Before its end reaches the client: one that asks next is told of this one no more.
            hub.leave(entered.connection, false);
            match answered {
                Ok(()) => {
                    shut_down(hub, &mut stream).await;
                    End::Done
                }
                Err(end) => end,
            }
        }
        Ok(Greeting::Connect(frame)) => {
            let mut connection = Connection {
                hub,
                entered: &entered,
                stream,
                input: Vec::new(),
                output: Vec::new(),
                sent: 0,
                measured: VecDeque::new(),
            };
            let end = connection.run(caller, &frame).await;
            hub.leave(entered.connection, matches!(end, End::Gone));
            connection.abandon();
            shut_down(hub, &mut connection.stream).await;
            end
        }
        Err(end) => {
            hub.leave(entered.connection, false);
            end
        }
    };
    match end {
        End::Done | End::Gone | End::Closed(Closed::ByClient) => {
            debug!(%address, why = %end, "a connection ended");
        }
        // A client tries again every second or so, for as long as no other server has what it has
        // seen.
        End::Again(_) => debug!(%address, why = %end, "closed a connection"),
        end => info!(%address, why = %end, "closed a connection"),
    }
}

/// Ends a stream, unless the client reads so little that the end of TLS finds no room.
async fn shut_down(hub: &Hub, stream: &mut (impl AsyncWrite + Unpin)) {
    let _ = tokio::time::timeout(hub.options.greeting_timeout, stream.shutdown()).await;
}

struct Connection<'a, S> {
    hub: &'a Hub,
    entered: &'a Entered,
    stream: S,
    /// Bytes that were read and not handled yet.
    input: Vec<u8>,
    /// Bytes that are being sent, and how many of them were.
    output: Vec<u8>,
    sent: usize,
    /// Requests whose replies wait for the disk.
    measured: VecDeque<Measured>,
}

/// Requests that were done together.
struct Measured {
    /// Their answers may be sent when this change is durable.
    after: u64,
    frames: u64,
    /// How many of them changed something.
    updates: u64,
    started: Instant,
}

/// How many bytes are read at once.
const READ_AT_ONCE: usize = 16 << 10;

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection<'_, S> {
    async fn run(&mut self, caller: Caller, greeting: &[u8]) -> End {
        match self.talk(caller, greeting).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn talk(&mut self, caller: Caller, greeting: &[u8]) -> Result<Never, End> {
        // Why nothing more is read. The connection ends when everything is sent.
        let mut ending = self.begin(caller, greeting).await?;
        let mut last_words = None;
        let mut durable = self.hub.durable();
        // Whether the log had no room.
        let mut is_stuck = false;
        loop {
            let index = {
                let durable = durable.borrow_and_update();
                // What waits for the log will never be durable.
                if durable.failure.is_some() {
                    return Err(End::Done);
                }
                // The log may have got room since, before this task began to wait for it.
                is_stuck &= !durable.has_changed();
                durable.index
            };
            let next = self.fill(index);
            let is_idle = self.output.is_empty();
            match next {
                NextStep::Close(why) if is_idle => return Err(End::Closed(why)),
                NextStep::Idle if is_idle && ending.is_some() => {
                    return Err(ending.unwrap_or(End::Done));
                }
                NextStep::Close(_) | NextStep::Idle | NextStep::Waits(_) => {}
            }
            let is_last = ending.is_some() || matches!(next, NextStep::Close(_));
            if is_last && !is_idle {
                let timeout = self.hub.options.greeting_timeout;
                last_words.get_or_insert_with(|| tokio::time::Instant::now() + timeout);
            }
            let reads = self.takes_more()? && !is_stuck && !is_last;
            // Frames may wait for room in the log, or for their turn.
            match self.has_frame() {
                Ok(true) if reads => {
                    is_stuck = self.work()?;
                    // Other connections have their turn.
                    if !is_stuck && matches!(self.has_frame(), Ok(true)) {
                        tokio::task::yield_now().await;
                    }
                    continue;
                }
                // Reported when everything before it is answered.
                Err(end) if reads => {
                    ending = Some(end);
                    continue;
                }
                Ok(_) | Err(_) => {}
            }
            let waits = matches!(next, NextStep::Waits(_)) || is_stuck;
            let input = reads.then_some(&mut self.input);
            tokio::select! {
                biased;
                moved = transfer(&mut self.stream, &self.output[self.sent..], input) => match moved? {
                    Moved::Sent(0) | Moved::Read(0) => return Err(End::Gone),
                    Moved::Sent(sent) => {
                        self.sent += sent;
                        // Too much waits for the client, so its pings are not read. It reads, so it
                        // lives.
                        if !reads {
                            self.hub.heard(self.entered);
                        }
                    }
                    Moved::Read(read) => self.hub.meters.bytes_received.add(read),
                },
                changed = durable.changed(), if waits => {
                    is_stuck = false;
                    if changed.is_err() {
                        return Err(End::Done);
                    }
                }
                () = self.entered.outbound.added.notified() => {}
                () = until(last_words) => return Err(End::Deaf),
            }
        }
    }

    /// Gets the connection its session. If that is over, the answer that says so is the last thing
    /// that is sent.
    async fn begin(&mut self, caller: Caller, greeting: &[u8]) -> Result<Option<End>, End> {
        let request = ConnectRequest::read(greeting)?;
        let address = caller.address;
        if let Some(why) = caller.full.filter(|_| request.session == 0) {
            self.hub.meters.rejected.add(1);
            return Err(End::Full(why));
        }
        self.hub.room().await.map_err(|_| End::Done)?;
        let connected = self.hub.connect(self.entered, caller.ids, &request);
        let connected = connected.map_err(|refused| match refused {
            Refused::Behind { .. } if !self.hub.ahead.note((address.ip(), request.session)) => {
                End::Again(refused)
            }
            Refused::TooManySessions { .. } => {
                self.hub.meters.rejected.add(1);
                End::Refused(refused)
            }
            refused => End::Refused(refused),
        })?;
        match connected {
            Some((session, timeout)) => {
                self.hub.ahead.forget(&(address.ip(), request.session));
                let (timeout_ms, came_back) = (timeout.as_millis(), request.session != 0);
                debug!(%address, %session, timeout_ms, came_back, "a session is connected");
                Ok(None)
            }
            None => {
                debug!(%address, session = format!("0x{:x}", request.session), "the session is over");
                Ok(Some(End::Done))
            }
        }
    }

    /// Takes what may be sent, if everything taken before is sent. Otherwise the buffer would grow
    /// without end for a client that never quite catches up.
    fn fill(&mut self, durable: u64) -> NextStep {
        self.measure(durable);
        if self.sent < self.output.len() {
            return self.entered.outbound.next(durable);
        }
        self.output.clear();
        self.sent = 0;
        self.entered.outbound.take(durable, &mut self.output)
    }

    /// Whether more requests are read, or too much waits to be sent.
    fn takes_more(&self) -> Result<bool, End> {
        let outbound = &self.entered.outbound;
        let limit = self.hub.options.max_backlog;
        let backlog = outbound.bytes() + self.output.len() - self.sent;
        // If no request is read, no more replies are made. Events still come.
        if outbound.event_bytes() > 2 * limit {
            return Err(End::Backlog(backlog));
        }
        Ok(backlog <= limit)
    }

    fn has_frame(&self) -> Result<bool, End> {
        let Some((length, rest)) = self.input.split_first_chunk() else {
            return Ok(false);
        };
        let length = i32::from_be_bytes(*length);
        let limit = self.hub.options.max_frame;
        match usize::try_from(length) {
            Ok(valid) if valid <= limit => Ok(rest.len() >= valid),
            _ => Err(End::Length { length, limit }),
        }
    }

    /// Has frames handled. Returns whether the log had no room for more.
    fn work(&mut self) -> Result<bool, End> {
        #[expect(clippy::disallowed_methods, reason = "latencies are shown to people")]
        let started = Instant::now();
        let limit = self.hub.options.max_frame;
        let handled = self
            .hub
            .handle(self.entered, &self.input)
            .map_err(|length| End::Length { length, limit })?;
        self.input.drain(..handled.bytes);
        // Most connections are idle most of the time, also those that once sent much.
        if self.input.is_empty() && self.input.capacity() > 4 * READ_AT_ONCE {
            self.input = Vec::new();
        }
        for stats in [&self.hub.stats, &*self.entered.counts] {
            stats.count_received(handled.frames);
        }
        if handled.frames > 0 {
            self.measured.push_back(Measured {
                after: handled.after,
                frames: handled.frames,
                updates: handled.updates,
                started,
            });
        }
        Ok(handled.is_stuck)
    }

    fn measure(&mut self, durable: u64) {
        while let Some(measured) = self.measured.pop_front_if(|next| next.after <= durable) {
            let took = measured.started.elapsed();
            let meters = &self.hub.meters;
            meters
                .reads
                .record(measured.frames - measured.updates, took);
            meters.updates.record(measured.updates, took);
            for stats in [&self.hub.stats, &*self.entered.counts] {
                stats.count_answered(measured.frames, took);
            }
            self.entered.counts.count_sent(measured.frames);
        }
    }

    /// The client waits for no more answers.
    fn abandon(&mut self) {
        let frames = self.measured.drain(..).map(|left| left.frames).sum();
        self.hub.stats.count_abandoned(frames);
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// How many bytes were sent, or read.
enum Moved {
    Sent(usize),
    Read(usize),
}

/// Sends some of `output`, or reads into `input` if there is one; whichever is possible first.
///
/// Bytes are read into the stack first: most connections are idle, and need no buffer.
async fn transfer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    output: &[u8],
    mut input: Option<&mut Vec<u8>>,
) -> io::Result<Moved> {
    poll_fn(|context| {
        let mut stream = Pin::new(&mut *stream);
        if !output.is_empty()
            && let Poll::Ready(sent) = stream.as_mut().poll_write(context, output)
        {
            return Poll::Ready(sent.map(Moved::Sent));
        }
        let Some(input) = input.as_deref_mut() else {
            return Poll::Pending;
        };
        let mut room = [const { MaybeUninit::uninit() }; READ_AT_ONCE];
        let mut room = ReadBuf::uninit(&mut room);
        ready!(stream.poll_read(context, &mut room))?;
        input.extend_from_slice(room.filled());
        Poll::Ready(Ok(Moved::Read(room.filled().len())))
    })
    .await
}

enum Never {}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;
    use crate::machine::Machine;
    use crate::server::options::Options;

    /// Asks a word, and looks when its stream is shut down: how many connections are there then?
    struct Asks<'a> {
        hub: &'a Hub,
        word: &'static [u8],
        connections: &'a mut Option<usize>,
    }

    impl AsyncRead for Asks<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            room: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            room.put_slice(std::mem::take(&mut self.word));
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Asks<'_> {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            *self.connections = Some(self.hub.state().peers.len());
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_client_that_sees_the_end_of_an_answer_is_counted_no_more() {
        let options = Options::local();
        let machine = Machine::new(options.machine.clone(), super::super::first_zxid());
        #[expect(
            clippy::disallowed_methods,
            reason = "the beginning of the server's time"
        )]
        let hub = Hub::new(options, machine, None, Instant::now());
        let mut connections = None;
        let stream = Asks {
            hub: &hub,
            word: b"srvr",
            connections: &mut connections,
        };
        let caller = Caller {
            address: "127.0.0.1:1".parse().unwrap(),
            ids: Vec::new(),
            secure: false,
            full: None,
        };
        serve(&hub, stream, caller).await;
        assert_eq!(connections, Some(0));
    }
}
