//! [`Parts`]: a file that is written in parts.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::error::Error;
use crate::store::Store;

/// A file that is being written. It does not exist before it is completed; if it is dropped before,
/// nothing is kept.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    store: &'a Store,
    upload: Option<Upload>,
}

/// An upload that is aborted when it is dropped.
#[derive(Debug)]
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Store {
    /// Begins a file that is written in parts.
    pub(crate) async fn begin(&self, doing: &str, path: Path) -> Result<Parts<'_>, Error> {
        let inner = Arc::clone(&self.inner);
        let begin = async move {
            // The library makes the file of an upload on the thread that asks.
            let runtime = Handle::current();
            let made = spawn_blocking(move || runtime.block_on(inner.put_multipart(&path)));
            Ok(Upload(Some(made.await??)))
        };
        let upload = self.run(doing, begin).await?;
        Ok(Parts {
            store: self,
            upload: Some(upload),
        })
    }
}

impl Parts<'_> {
    /// Writes the next part.
    pub(crate) async fn write(&mut self, doing: &str, part: Bytes) -> Result<(), Error> {
        let mut upload = self.take();
        let write = async move {
            upload.get().put_part(part.into()).await?;
            Ok(upload)
        };
        self.upload = Some(self.store.run(doing, write).await?);
        Ok(())
    }

    /// Makes the file exist, with all that was written in it.
    pub(crate) async fn complete(mut self, doing: &str) -> Result<(), Error> {
        let mut upload = self.take();
        let complete = async move {
            upload.get().complete().await?;
            drop(upload.0.take());
            Ok(())
        };
        self.store.run(doing, complete).await
    }

    /// Removes what was written.
    pub(crate) async fn abort(mut self, doing: &str) -> Result<(), Error> {
        let Some(mut upload) = self.upload.take() else {
            // A part failed, and the upload was dropped with it, which removes it.
            return Ok(());
        };
        let abort = async move {
            let mut upload = upload.0.take().expect("an upload that was not completed");
            upload.abort().await
        };
        self.store.run(doing, abort).await
    }

    fn take(&mut self) -> Upload {
        self.upload
            .take()
            .expect("nothing is written or completed after a failure")
    }
}

impl Upload {
    fn get(&mut self) -> &mut Box<dyn MultipartUpload> {
        self.0.as_mut().expect("an upload that was not completed")
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.0.take() else {
            return;
        };
        // A store keeps, and charges for, the parts of an upload that nobody aborts. A directory
        // and memory also clean up without being asked.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { upload.abort().await });
        }
    }
}
