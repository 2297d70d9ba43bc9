//! Packets, and the descriptors that travel with them.
//!
//! The sockets keep packets apart (`SOCK_SEQPACKET`). So a message is sent whole or not at all, any
//! number of threads can send without a lock, and a reader never waits for the rest of a line.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use crate::wire::MAX_MESSAGE;

/// Descriptors with one packet: the environment, stdin and the liveness listener.
const MAX_FDS: usize = 3;

/// One message and its descriptors, which are closed on exec.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
}

/// Two connected sockets, closed on exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// Sends one message. Never blocks: a full socket is [`io::ErrorKind::WouldBlock`].
pub(crate) fn send(
    socket: impl AsFd,
    message: impl ToString,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    assert!(fds.len() <= MAX_FDS, "the receiver has room for {MAX_FDS}");
    let text = message.to_string();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(
            rights.push(SendAncillaryMessage::ScmRights(fds)),
            "there is space for them"
        );
    }
    // NOSIGNAL: if the other side is gone, that is an error to return, not a reason to die.
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(socket, &[IoSlice::new(text.as_bytes())], &mut rights, flags)?;
    Ok(())
}

/// How often, and after which pauses, a message is sent again while [`is_crowded`]: ten seconds.
/// The messages on their way are read as soon as the guards that started get a processor.
pub(crate) const CROWDED_TRIES: u32 = 1000;
pub(crate) const CROWDED_PAUSE: Duration = Duration::from_millis(10);

/// Whether a message was not sent because too many descriptors of this user are on their way. Users
/// without rights may have as many as the sender's limit of open files. Hundreds of commands that
/// start side by side can have more.
pub(crate) fn is_crowded(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::TOOMANYREFS)
}

/// Whether a message was not sent because the other side is gone.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    [BrokenPipe, ConnectionReset, NotConnected].contains(&error.kind())
}

/// Like [`send`], but waits while [`is_crowded`].
pub(crate) fn send_when_possible(
    socket: impl AsFd,
    message: &str,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let pause = Timespec::try_from(CROWDED_PAUSE).expect("it is short");
    for _ in 0..CROWDED_TRIES {
        match send(&socket, message, fds) {
            Err(error) if is_crowded(&error) => {}
            done => return done,
        }
        let _ = poll(&mut [], Some(&pause));
    }
    send(socket, message, fds)
}

/// Waits for the next message. `None`: the other side is gone, and all its messages were read.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<Option<Packet>> {
    receive_with(socket.as_fd(), RecvFlags::empty())
}

/// Like [`receive`], but [`io::ErrorKind::WouldBlock`] if there is no message yet.
pub(crate) fn try_receive(socket: impl AsFd) -> io::Result<Option<Packet>> {
    receive_with(socket.as_fd(), RecvFlags::DONTWAIT)
}

fn receive_with(socket: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<Option<Packet>> {
    let mut bytes = [0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut iov = [IoSliceMut::new(&mut bytes)];
        match recvmsg(
            socket,
            &mut iov,
            &mut rights,
            flags | RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(Errno::INTR) => {}
            // The system reports once that the other side closed before it had read everything. The
            // messages that it sent before that can still be read.
            Err(Errno::CONNRESET) => {}
            other => break other?,
        }
    };
    if received
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message longer than any of ours",
        ));
    }
    let fds = rights
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    // No message of ours is empty.
    Ok((received.bytes > 0).then(|| Packet {
        bytes: bytes[..received.bytes].to_vec(),
        fds,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_apart_and_their_end_is_seen() {
        let (ours, theirs) = pair().unwrap();
        send(&ours, "one", &[]).unwrap();
        send(&ours, "two", &[]).unwrap();
        assert_eq!(receive(&theirs).unwrap().unwrap().bytes, b"one");
        assert_eq!(receive(&theirs).unwrap().unwrap().bytes, b"two");
        assert_eq!(
            try_receive(&theirs).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(ours);
        assert!(receive(&theirs).unwrap().is_none());
    }

    #[test]
    fn last_words_are_heard_though_ours_were_not() {
        let (ours, theirs) = pair().unwrap();
        send(&ours, "never read", &[]).unwrap();
        send(&theirs, "last words", &[]).unwrap();
        drop(theirs);
        assert!(is_gone(&send(&ours, "too late", &[]).unwrap_err()));
        assert!(is_gone(&send(&ours, "too late", &[]).unwrap_err()));
        assert_eq!(receive(&ours).unwrap().unwrap().bytes, b"last words");
        assert!(receive(&ours).unwrap().is_none());
    }

    #[test]
    fn descriptors_arrive_closed_on_exec() {
        let (ours, theirs) = pair().unwrap();
        let (passed, kept) = pair().unwrap();
        send(&ours, "with", &[passed.as_fd()]).unwrap();
        let packet = receive(&theirs).unwrap().unwrap();
        send(&packet.fds[0], "through it", &[]).unwrap();
        assert_eq!(receive(&kept).unwrap().unwrap().bytes, b"through it");
        let flags = rustix::io::fcntl_getfd(&packet.fds[0]).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn too_long_a_message_is_an_error_and_a_full_socket_does_not_block() {
        let (ours, theirs) = pair().unwrap();
        send(&ours, "x".repeat(MAX_MESSAGE + 1), &[]).unwrap();
        assert_eq!(
            receive(&theirs).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        let full = (0..100_000)
            .find_map(|_| send(&ours, "more", &[]).err())
            .unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
}
