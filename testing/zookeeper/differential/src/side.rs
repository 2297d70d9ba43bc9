//! One of the two servers, and the sessions of a script on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use incumbent_zk_probe::{Error, Event, Frame, Probe, Reply, again, new_session};
use incumbent_zk_proto::{Acl, ConnectResponse, Create, CreateKind, Op, Request};
use tokio::time::timeout;

use crate::ask::changes;
use crate::memory::{Remembered, learn};
use crate::script::{Act, Ask, Attach, NodePath, Step, Stop};

/// No script is silent for so long. Sessions live longer, so they end only when they are closed.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
const SESSION_TIMEOUT_MS: i32 = 60_000;

/// One thing that came on a connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// The answer to a handshake.
    Granted(ConnectResponse),
    /// An answer.
    Reply(Answer),
    /// A watch was triggered.
    Event(Event),
    /// The answer to the barrier after a step.
    Barrier { zxid: i64 },
    /// Nothing more comes.
    Stopped(Stop),
}

/// An answer, and what the comparison must know of the question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// Whether its zxid is that of a change, if it is not refused.
    pub(crate) changes: bool,
    /// Whether it is about a node that all scripts share.
    pub(crate) shared: bool,
}

/// What came in a step, by session.
pub(crate) type Observation = Vec<Vec<Seen>>;

#[derive(Debug, Default)]
struct Slot {
    probe: Option<Probe>,
    granted: Option<ConnectResponse>,
    zxids: Vec<i64>,
}

#[derive(Debug)]
pub(crate) struct Side {
    address: String,
    slots: Vec<Slot>,
    /// All sessions that were granted, in order.
    pub(crate) ids: Vec<i64>,
    versions: HashMap<String, (i32, i32)>,
}

impl Side {
    /// Connects all sessions and creates the root of the script.
    pub(crate) async fn start(
        address: &str,
        sessions: usize,
        root: &str,
    ) -> Result<(Self, Observation), Error> {
        let mut side = Self {
            address: address.to_owned(),
            slots: (0..sessions).map(|_| Slot::default()).collect(),
            ids: Vec::new(),
            versions: HashMap::new(),
        };
        let mut seen: Observation = vec![Vec::new(); sessions];
        for (session, seen) in seen.iter_mut().enumerate() {
            side.attach(session, Attach::New, seen).await;
        }
        let probe = side.slots[0].probe.as_mut().ok_or(Error::Closed)?;
        let root = Request::Create(Create {
            path: root,
            data: None,
            acl: vec![Acl::open()],
            flags: 0,
            kind: CreateKind::Plain,
        });
        probe.call(&root).await?.response()?;
        Ok((side, seen))
    }

    /// Runs a step whose paths are exact, and waits at the barrier.
    pub(crate) async fn step(&mut self, step: &Step) -> Observation {
        let mut seen = vec![Vec::new(); self.slots.len()];
        let here = &mut seen[step.session];
        match &step.act {
            Act::Ask(asks) => self.ask(step.session, None, asks, here).await,
            Act::AskAs(xid, ask) => {
                let asks = std::slice::from_ref(ask);
                self.ask(step.session, Some(*xid), asks, here).await;
            }
            Act::Raw(op, body) => self.raw(step.session, *op, body, here).await,
            Act::Drop => self.slots[step.session].probe = None,
            Act::Attach(how) => self.attach(step.session, *how, here).await,
            Act::Negotiate {
                timeout_ms,
                read_only,
            } => self.negotiate(*timeout_ms, *read_only, here).await,
        }
        self.barrier(&mut seen).await;
        seen
    }

    async fn ask(&mut self, session: usize, xid: Option<i32>, asks: &[Ask], seen: &mut Vec<Seen>) {
        let slot = &mut self.slots[session];
        let Some(probe) = &mut slot.probe else { return };
        let memory = Remembered(&self.versions, &slot.zxids);
        let requests: Vec<_> = asks.iter().map(|ask| ask.request(&memory)).collect();
        for request in &requests {
            match xid {
                Some(xid) => probe.push_as(xid, request),
                None => drop(probe.push(request)),
            }
        }
        let mut questions = asks.iter().zip(&requests);
        let mut last = probe.flush().await.map_err(stop);
        let mut learnt = Vec::new();
        while last.is_ok() && probe.in_flight() > 0 {
            match next(probe).await {
                Ok(Frame::Event(event)) => seen.push(Seen::Event(event)),
                Ok(Frame::Reply(reply)) => {
                    slot.zxids.push(reply.zxid);
                    let (ask, request) = questions.next().expect("one question for each answer");
                    learn(request, &reply, &mut learnt);
                    seen.push(Seen::Reply(Answer {
                        reply,
                        changes: changes(request),
                        shared: ask.place().is_some_and(is_shared),
                    }));
                }
                Err(stop) => last = Err(stop),
            }
        }
        if asks == [Ask::CloseSession] && last.is_ok() {
            last = drain(probe, seen).await;
        }
        drop(questions);
        drop(requests);
        self.versions.extend(learnt);
        self.settle(session, last, seen);
    }

    async fn raw(&mut self, session: usize, op: i32, body: &[u8], seen: &mut Vec<Seen>) {
        let slot = &mut self.slots[session];
        let Some(probe) = &mut slot.probe else { return };
        let xid = 1_000_000;
        let mut last = probe.send_op(xid, op, body).await.map_err(stop);
        while last.is_ok() && probe.in_flight() > 0 {
            match next(probe).await {
                Ok(Frame::Event(event)) => seen.push(Seen::Event(event)),
                Ok(Frame::Reply(reply)) => seen.push(Seen::Reply(Answer {
                    reply,
                    changes: false,
                    shared: true,
                })),
                Err(stop) => last = Err(stop),
            }
        }
        // The connection ends: a ping may still be answered, or not.
        if last.is_ok() && Op::from_number(op).is_none() {
            last = drain(probe, seen).await;
        }
        self.settle(session, last, seen);
    }

    async fn attach(&mut self, session: usize, how: Attach, seen: &mut Vec<Seen>) {
        let fresh = new_session(SESSION_TIMEOUT_MS);
        let slot = &mut self.slots[session];
        let had = slot.granted.clone();
        let mut request = match &had {
            Some(granted) if how != Attach::New => again(granted),
            _ => fresh,
        };
        let wrong = [0x5a; 16];
        match how {
            Attach::New => {}
            Attach::Again => request.read_only = Some(false),
            Attach::AgainOld => request.read_only = None,
            Attach::WrongPassword => request.password = &wrong,
            // A different one each time: ZooKeeper ends all connections that ask for the same one.
            Attach::NeverWas => {
                static NUMBERS: AtomicI64 = AtomicI64::new(0x0123_4567_0000_0000);
                request.session = NUMBERS.fetch_add(1, Ordering::Relaxed);
            }
            Attach::FromTheFuture => request.last_zxid_seen = i64::MAX / 2,
        }
        match shake(&self.address, &request).await {
            Ok((probe, granted)) => {
                let alive = granted.timeout_ms != 0;
                seen.push(Seen::Granted(granted.clone()));
                if !alive {
                    return;
                }
                if granted.session != had.as_ref().map_or(0, |had| had.session) {
                    self.ids.push(granted.session);
                } else if let Some(old) = &mut slot.probe {
                    // A session has one connection: the server ends the other one.
                    if let Err(stop) = drain(old, seen).await {
                        seen.push(Seen::Stopped(stop));
                    }
                }
                slot.granted = Some(granted);
                slot.probe = Some(probe);
            }
            Err(stop) => seen.push(Seen::Stopped(stop)),
        }
    }

    async fn negotiate(&self, timeout_ms: i32, read_only: Option<bool>, seen: &mut Vec<Seen>) {
        let mut request = new_session(timeout_ms);
        request.read_only = read_only;
        match shake(&self.address, &request).await {
            Ok((mut probe, mut granted)) => {
                // The session does not matter: nothing shows it.
                granted.session = 0;
                seen.push(Seen::Granted(granted));
                let _ = timeout(LONGEST_ANSWER, probe.call(&Request::CloseSession)).await;
            }
            Err(stop) => seen.push(Seen::Stopped(stop)),
        }
    }

    /// Makes sure that every event of the step has come.
    ///
    /// Both servers make changes one after the other, and queue the events of a change before its
    /// answer. So the answer to a later request, on any connection, comes after all those events.
    async fn barrier(&mut self, seen: &mut Observation) {
        for (session, seen) in seen.iter_mut().enumerate() {
            let Some(probe) = &mut self.slots[session].probe else {
                continue;
            };
            let last = probe.send(&Request::Ping).await.map_err(stop);
            self.settle(session, last.map(drop), seen);
        }
        for (session, seen) in seen.iter_mut().enumerate() {
            let Some(probe) = &mut self.slots[session].probe else {
                continue;
            };
            let last = loop {
                match next(probe).await {
                    Ok(Frame::Event(event)) => seen.push(Seen::Event(event)),
                    Ok(Frame::Reply(reply)) => {
                        seen.push(Seen::Barrier { zxid: reply.zxid });
                        break Ok(());
                    }
                    Err(stop) => break Err(stop),
                }
            };
            self.settle(session, last, seen);
        }
    }

    fn settle(&mut self, session: usize, last: Result<(), Stop>, seen: &mut Vec<Seen>) {
        if let Err(stop) = last {
            seen.push(Seen::Stopped(stop));
            self.slots[session].probe = None;
        }
    }

    /// Closes all sessions, so that no ephemeral node is left, and makes sure that the server
    /// lives.
    pub(crate) async fn end(self) -> Result<(), Error> {
        for probe in self.slots.into_iter().filter_map(|slot| slot.probe) {
            let _ = timeout(LONGEST_ANSWER, probe.close()).await;
        }
        let mut probe = Probe::connect(&self.address, &new_session(SESSION_TIMEOUT_MS)).await?;
        probe.call(&Request::CloseSession).await.map(drop)
    }
}

async fn shake(
    address: &str,
    request: &incumbent_zk_proto::ConnectRequest<'_>,
) -> Result<(Probe, ConnectResponse), Stop> {
    let shaken = async {
        let mut probe = Probe::connect_raw(address).await?;
        let granted = probe.shake_hands(request).await?.clone();
        Ok((probe, granted))
    };
    let shaken = timeout(LONGEST_ANSWER, shaken).await;
    shaken.map_err(|_| Stop::Silent)?.map_err(stop)
}

async fn next(probe: &mut Probe) -> Result<Frame, Stop> {
    let frame = timeout(LONGEST_ANSWER, probe.receive()).await;
    frame.map_err(|_| Stop::Silent)?.map_err(stop)
}

/// Reads everything up to the end of the connection.
async fn drain(probe: &mut Probe, seen: &mut Vec<Seen>) -> Result<(), Stop> {
    loop {
        if let Frame::Event(event) = next(probe).await? {
            seen.push(Seen::Event(event));
        }
    }
}

fn stop(error: Error) -> Stop {
    match error {
        Error::Closed => Stop::Closed,
        Error::Malformed(malformed) => Stop::Malformed(malformed),
        other => Stop::Broken(format!("{other:?}")),
    }
}

fn is_shared(place: &NodePath) -> bool {
    match place {
        NodePath::Exact(path) => path.is_empty() || path == "/" || path.starts_with("/zookeeper"),
        NodePath::Below(_) => false,
    }
}
