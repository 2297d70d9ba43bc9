//! [`Greeting`]: what both sides of a connection say before it counts.
//!
//! ```text
//!  rank 1                                  rank 0
//!    │ greeting (to 0)  ───────────────────► │ is it one of ours?
//!    │ is it the one I wanted? ◄──────────── │ greeting (to 1)
//!    │ "agreed" ───────────────────────────► │ the connection counts
//! ```
//!
//! Without the last byte, the accepting side could keep a connection that its peer has given up.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{GREETING_TIME, now};

/// What a connection of ours begins with. The last two digits are the version.
const MAGIC: [u8; 8] = *b"incmsh01";

/// How long a job's id may be: it has 32 hexadecimal digits.
const JOB_BYTES: usize = 32;

/// How long a greeting is.
pub(super) const BYTES: usize = 8 + JOB_BYTES + 8 + 4 + 4 + 4 + 8;

/// The last byte of the dialing side.
const AGREED: u8 = b'!';

/// Who a rank is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// The id of the job.
    pub(crate) job: String,
    /// The number of the attempt.
    pub(crate) attempt: u64,
    /// Its rank.
    pub(crate) rank: u32,
    /// How many tasks there are.
    pub(crate) tasks: u32,
    /// The digest of the executable: what is sent is laid out by its compiler.
    pub(crate) program: u64,
}

/// Why the other side of a connection is not one of us.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stranger {
    #[error("it said nothing, or not enough")]
    Silent(#[source] io::Error),
    #[error("it speaks another protocol")]
    Protocol,
    #[error("it is of another job")]
    Job,
    #[error("it is of attempt {0}")]
    Attempt(u64),
    #[error("it says that it is rank {rank}, and looks for rank {to}")]
    Rank { rank: u32, to: u32 },
    /// It is one of us, and cannot work with us.
    #[error("rank {0} runs another executable")]
    Program(u32),
}

impl Greeting {
    fn encode(&self, to: u32) -> [u8; BYTES] {
        let mut job = [0; JOB_BYTES];
        let length = self.job.len().min(JOB_BYTES);
        job[..length].copy_from_slice(&self.job.as_bytes()[..length]);
        let parts: [&[u8]; 7] = [
            &MAGIC,
            &job,
            &self.attempt.to_be_bytes(),
            &self.rank.to_be_bytes(),
            &to.to_be_bytes(),
            &self.tasks.to_be_bytes(),
            &self.program.to_be_bytes(),
        ];
        let mut bytes = [0; BYTES];
        let mut rest = &mut bytes[..];
        for part in parts {
            let (here, behind) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = behind;
        }
        bytes
    }

    /// The rank that has sent this, if it is one of us that means this rank.
    fn judge(&self, bytes: &[u8; BYTES]) -> Result<u32, Stranger> {
        let mut rest = &bytes[..];
        let mut take = |length: usize| {
            let (part, behind) = rest.split_at(length);
            rest = behind;
            part
        };
        if take(8) != MAGIC {
            return Err(Stranger::Protocol);
        }
        if take(JOB_BYTES) != &self.encode(0)[8..8 + JOB_BYTES] {
            return Err(Stranger::Job);
        }
        let mut number =
            |length| (take(length).iter()).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let attempt = number(8);
        let (rank, to, tasks) = (number(4) as u32, number(4) as u32, number(4) as u32);
        let program = number(8);
        if attempt != self.attempt || tasks != self.tasks {
            return Err(Stranger::Attempt(attempt));
        }
        if to != self.rank || rank == self.rank || rank >= tasks {
            return Err(Stranger::Rank { rank, to });
        }
        if program != self.program {
            return Err(Stranger::Program(rank));
        }
        Ok(rank)
    }

    /// The dialing side. `Ok`: the connection is one to this rank.
    pub(super) fn dialed(&self, stream: &TcpStream, peer: u32) -> Result<(), Stranger> {
        let until = now() + GREETING_TIME;
        let left = || until.saturating_duration_since(now());
        write(stream, &self.encode(peer), left())?;
        match self.judge(&read(stream, left)?)? {
            rank if rank == peer => write(stream, &[AGREED], left()),
            rank => Err(Stranger::Rank {
                rank,
                to: self.rank,
            }),
        }
    }

    /// The accepting side: which rank it is.
    pub(super) fn accepted(&self, stream: &TcpStream) -> Result<u32, Stranger> {
        let until = now() + GREETING_TIME;
        let left = || until.saturating_duration_since(now());
        let theirs = read(stream, left)?;
        let judged = self.judge(&theirs);
        if let Ok(rank) | Err(Stranger::Program(rank)) = &judged {
            write(stream, &self.encode(*rank), left())?;
        }
        let rank = judged?;
        match rank > self.rank {
            true => match read::<1>(stream, left)? {
                [AGREED] => Ok(rank),
                _ => Err(Stranger::Protocol),
            },
            // It should wait for us.
            false => Err(Stranger::Rank {
                rank,
                to: self.rank,
            }),
        }
    }
}

fn write(mut stream: &TcpStream, bytes: &[u8], left: Duration) -> Result<(), Stranger> {
    let limit = (!left.is_zero()).then_some(left);
    let limit = limit.ok_or_else(|| Stranger::Silent(io::ErrorKind::TimedOut.into()))?;
    (stream
        .set_write_timeout(Some(limit))
        .and_then(|()| stream.write_all(bytes)))
    .map_err(Stranger::Silent)
}

/// Reads so many bytes in the time that is left, however slowly they come.
fn read<const N: usize>(
    mut stream: &TcpStream,
    left: impl Fn() -> Duration,
) -> Result<[u8; N], Stranger> {
    let mut bytes = [0; N];
    let mut have = 0;
    while have < N {
        let left = left();
        if left.is_zero() {
            return Err(Stranger::Silent(io::ErrorKind::TimedOut.into()));
        }
        stream
            .set_read_timeout(Some(left))
            .map_err(Stranger::Silent)?;
        match stream.read(&mut bytes[have..]) {
            Ok(0) => return Err(Stranger::Silent(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => have += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Stranger::Silent(error)),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rank: u32) -> Greeting {
        Greeting {
            job: "5".repeat(32),
            attempt: 3,
            rank,
            tasks: 4,
            program: 0x0123_4567_89ab_cdef,
        }
    }

    #[test]
    fn only_another_rank_of_the_same_attempt_that_means_us_is_one_of_us() {
        let (zero, one) = (of(0), of(1));
        assert_eq!(zero.judge(&one.encode(0)).unwrap(), 1);
        let refused = |greeting: Greeting, to| zero.judge(&greeting.encode(to)).unwrap_err();
        assert!(matches!(
            refused(of(1), 2),
            Stranger::Rank { rank: 1, to: 2 }
        ));
        assert!(matches!(refused(of(0), 0), Stranger::Rank { .. }), "itself");
        assert!(matches!(refused(of(4), 0), Stranger::Rank { .. }));
        let older = Greeting {
            attempt: 2,
            ..of(1)
        };
        assert!(matches!(refused(older, 0), Stranger::Attempt(2)));
        let rescaled = Greeting { tasks: 5, ..of(1) };
        assert!(matches!(refused(rescaled, 0), Stranger::Attempt(3)));
        let job = "6".repeat(32);
        assert!(matches!(
            refused(Greeting { job, ..of(1) }, 0),
            Stranger::Job
        ));
        let other = Greeting {
            program: 1,
            ..of(1)
        };
        assert!(matches!(refused(other, 0), Stranger::Program(1)));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut bytes = of(1).encode(0);
        for at in 0..BYTES {
            for value in [0, 0x7f, 0xff] {
                let before = std::mem::replace(&mut bytes[at], value);
                let _ = of(0).judge(&bytes);
                bytes[at] = before;
            }
        }
        assert!(matches!(
            of(0).judge(&[b'G'; BYTES]),
            Err(Stranger::Protocol)
        ));
    }
}
