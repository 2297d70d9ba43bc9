//! Fetches the bytes of an object before they are read.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use futures::{StreamExt as _, stream};
use incumbent_stream::Waker;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::Bucket;

/// How much is asked for at once: long enough that the time of a request does not count.
const CHUNK: u64 = 2 * 1024 * 1024;

/// How many requests of one object are under way. With one chunk in the channel and one that is
/// being read, an object has at most 8 MiB in memory.
const AHEAD: usize = 2;

/// The bytes of an object as they come: `WouldBlock` when none is there.
pub(crate) struct Chunks {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.current.is_empty() {
            match self.receiver.try_recv() {
                Ok(chunk) => self.current = chunk?,
                Err(mpsc::error::TryRecvError::Empty) => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Err(mpsc::error::TryRecvError::Disconnected) => return Ok(0),
            }
        }
        let length = self.current.len().min(into.len());
        self.current.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

/// Begins to fetch. Dropping what it returns ends it.
pub(super) fn start(
    runtime: &Handle,
    bucket: &Bucket,
    path: Path,
    file: String,
    from: u64,
    waker: Waker,
) -> Chunks {
    let (send, receiver) = mpsc::channel(1);
    let bucket = bucket.clone();
    runtime.spawn(async move {
        if let Err(error) = fetch(&bucket, &path, &file, from, &send, &waker).await {
            let _ = send.send(Err(error)).await;
        }
        // Only then does the reader see the end.
        drop(send);
        waker.wake();
    });
    Chunks {
        receiver,
        current: Bytes::new(),
    }
}

async fn fetch(
    bucket: &Bucket,
    path: &Path,
    file: &str,
    from: u64,
    send: &mpsc::Sender<io::Result<Bytes>>,
    waker: &Waker,
) -> io::Result<()> {
    let meta = bucket.store.head(path).await.map_err(io::Error::other)?;
    if from > meta.size {
        return Err(io::Error::other(crate::Error::Shrunk {
            file: file.to_owned(),
            at: format!("offset {from}"),
        }));
    }
    let starts = (from..meta.size).step_by(usize::try_from(CHUNK).unwrap_or(usize::MAX));
    let chunks = stream::iter(starts).map(|start| {
        let options = GetOptions {
            range: Some(GetRange::Bounded(start..(start + CHUNK).min(meta.size))),
            // Half of one object and half of what replaced it would be neither.
            if_match: meta.e_tag.clone(),
            ..GetOptions::default()
        };
        async move { bucket.store.get_opts(path, options).await?.bytes().await }
    });
    let mut chunks = std::pin::pin!(chunks.buffered(AHEAD));
    while let Some(chunk) = chunks.next().await {
        if send.send(chunk.map_err(io::Error::other)).await.is_err() {
            return Ok(());
        }
        waker.wake();
    }
    Ok(())
}

/// Any bytes of an object, for a thread that may wait.
#[cfg(feature = "parquet")]
pub(crate) use random::RandomAccess;

#[cfg(feature = "parquet")]
mod random {
    use bytes::{Buf as _, Bytes};
    use object_store::ObjectStoreExt as _;
    use object_store::path::Path;
    use parquet::errors::ParquetError;
    use parquet::file::reader::{ChunkReader, Length};
    use tokio::runtime::Handle;

    use super::super::Bucket;
    use super::super::remote::run;

    /// How much is fetched where the length is not said: what is read there are heads of pages.
    const UNKNOWN: u64 = 64 * 1024;

    /// Any bytes of an object, for a thread that may wait.
    pub(crate) struct RandomAccess {
        runtime: Handle,
        bucket: Bucket,
        path: Path,
        size: u64,
    }

    impl RandomAccess {
        pub(crate) fn new(runtime: Handle, bucket: Bucket, path: Path) -> Self {
            Self {
                runtime,
                bucket,
                path,
                size: 0,
            }
        }

        /// Asks how long it is: before anything else.
        pub(crate) fn look(mut self) -> Result<Self, ParquetError> {
            let (bucket, path) = (self.bucket.clone(), self.path.clone());
            let found = run(&self.runtime, async move { bucket.store.head(&path).await });
            self.size = found.ok_or_else(ended)?.map_err(external)?.size;
            Ok(self)
        }

        fn get(&self, start: u64, end: u64) -> Result<Bytes, ParquetError> {
            if start >= end {
                return Ok(Bytes::new());
            }
            let (bucket, path) = (self.bucket.clone(), self.path.clone());
            let got = run(&self.runtime, async move {
                bucket.store.get_range(&path, start..end).await
            });
            got.ok_or_else(ended)?.map_err(external)
        }
    }

    impl Length for RandomAccess {
        fn len(&self) -> u64 {
            self.size
        }
    }

    impl ChunkReader for RandomAccess {
        type T = bytes::buf::Reader<Bytes>;

        fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
            let end = (start + UNKNOWN).min(self.size);
            Ok(self.get(start, end)?.reader())
        }

        fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
            self.get(start, start + length as u64)
        }
    }

    fn ended() -> ParquetError {
        ParquetError::General("the thread that asks has ended".to_owned())
    }

    fn external(error: object_store::Error) -> ParquetError {
        ParquetError::External(Box::new(error))
    }
}
