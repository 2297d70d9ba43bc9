//! Watches.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::act::read::{check_list_options, number, wanted_version};
use crate::request::answer::{Answer, AnswerBody, Cut, Part};
use crate::request::ask::Ask;
use crate::request::represent::Form;
use crate::request::status::Refusal;
use crate::store::resource::Resource;
use crate::store::selector::Selector;
use crate::store::{Change, Store, set_revision};
use crate::world::World;

/// How long a watch without a time lasts. The real server takes between half an hour and an hour.
const LIFETIME: Duration = Duration::from_secs(45 * 60);
/// How long before its end a watch gets its last bookmark, as the real server does.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);
/// How many parts of an answer wait for a client that does not read. Then the watch waits, and the
/// store keeps the changes.
const PARTS_AHEAD: usize = 4;

/// A watch that is running.
struct Watch {
    resource: &'static Resource,
    namespace: String,
    selector: Selector,
    form: Form,
    bookmarks: bool,
    /// All changes up to this revision have been sent.
    told: u64,
}

/// Follows changes. If the history was dropped, an event says so, as from the real server.
pub(crate) fn watch(world: &Arc<World>, ask: &Ask) -> Result<Answer, Refusal> {
    check_list_options(ask)?;
    let form = match Form::accepted(&ask.headers.accept)? {
        Form::MetadataList => {
            return Form::MetadataList
                .one(&Value::Null)
                .map(|_| unreachable!("a list is no object"));
        }
        form => form,
    };
    let version = wanted_version(ask)?;
    let lifetime = number(ask, "timeoutSeconds")?
        .filter(|it| *it > 0)
        .map_or(LIFETIME, Duration::from_secs);
    // Without a version, the real server sends initial events and reports their end.
    let asked = ask.query.has("sendInitialEvents");
    let initial = if asked {
        ask.query.flag("sendInitialEvents")
    } else {
        version.unwrap_or(0) == 0
    };
    let mut watch = Watch {
        resource: ask.resource,
        namespace: ask.namespace.clone(),
        selector: ask.selector()?,
        form,
        bookmarks: ask.query.flag("allowWatchBookmarks"),
        told: version.unwrap_or(0),
    };
    let (parts, receiver) = mpsc::channel(PARTS_AHEAD);
    // Subscribed before the first look, so that no change is lost between.
    let (changed, cut) = (world.changed.subscribe(), world.cut.subscribe());
    let first = watch.begin(&world.state().store, initial);
    let world = world.clone();
    tokio::spawn(async move {
        let send = parts.clone();
        let run = async {
            let more = first.is_ok();
            send.send(Ok(first.unwrap_or_else(|refusal| error_event(&refusal))))
                .await
                .ok()?;
            if more {
                watch.run(&world, &send, changed, cut, lifetime).await
            } else {
                Some(())
            }
        };
        // It fails if the client has left.
        tokio::select! { _ = run => {} () = parts.closed() => {} }
    });
    let mut answer = Answer::new(AnswerBody::parts(receiver));
    answer.headers_mut().insert(
        "content-type",
        hyper::header::HeaderValue::from_static("application/json"),
    );
    Ok(answer)
}

impl Watch {
    /// The first events of a watch: with `initial`, the present objects as added, and the end of
    /// these.
    fn begin(&mut self, store: &Store, initial: bool) -> Result<Bytes, Refusal> {
        let mut events = Vec::new();
        if initial {
            let all = store
                .list(self.resource, &self.namespace)
                .filter(|(_, object)| self.selector.matches(object));
            for (_, object) in all {
                self.write(&mut events, "ADDED", object);
            }
            self.told = store.revision();
            if self.bookmarks {
                self.bookmark(&mut events, true);
            }
        } else if self.told == 0 {
            self.told = store.revision();
        } else {
            store.may_watch_after(self.told)?;
        }
        Ok(Bytes::from(events))
    }

    /// Sends changes until the time is over, the watch is cut or the client leaves (`None`).
    async fn run(
        &mut self,
        world: &World,
        parts: &mpsc::Sender<Part>,
        mut changed: tokio::sync::watch::Receiver<u64>,
        mut cut: tokio::sync::watch::Receiver<u64>,
        lifetime: Duration,
    ) -> Option<()> {
        let end = Instant::now() + lifetime;
        let mut next_bookmark = Instant::now() + world.options.bookmark_every;
        let mut last_bookmark = self.bookmarks && lifetime > LAST_BOOKMARK;
        loop {
            let events = self.news(&world.state().store);
            match events {
                Ok(events) if events.is_empty() => {}
                Ok(events) => parts.send(Ok(events)).await.ok()?,
                Err(refusal) => return parts.send(Ok(error_event(&refusal))).await.ok(),
            }
            let mut bookmark = Vec::new();
            tokio::select! {
                news = changed.changed() => news.ok()?,
                _ = cut.changed() => return parts.send(Err(Cut)).await.ok(),
                () = sleep_until(end) => return Some(()),
                () = sleep_until(next_bookmark), if self.bookmarks => {
                    next_bookmark = Instant::now() + world.options.bookmark_every;
                    self.bookmark(&mut bookmark, false);
                }
                () = sleep_until(end - LAST_BOOKMARK), if last_bookmark => {
                    last_bookmark = false;
                    self.bookmark(&mut bookmark, false);
                }
            }
            if !bookmark.is_empty() {
                parts.send(Ok(Bytes::from(bookmark))).await.ok()?;
            }
        }
    }

    /// The events since the last look.
    fn news(&mut self, store: &Store) -> Result<Bytes, Refusal> {
        let mut events = Vec::new();
        for change in store.changes_after(self.told)? {
            if change.key.within(self.resource, &self.namespace) {
                self.tell(&mut events, change);
            }
        }
        // A watch may begin after a revision that has not come yet.
        self.told = self.told.max(store.revision());
        Ok(Bytes::from(events))
    }

    /// The event of a change for a watch that sees only the selected objects.
    fn tell(&self, events: &mut Vec<u8>, change: &Change) {
        let seen =
            |object: &Option<Arc<Value>>| object.clone().filter(|it| self.selector.matches(it));
        match (seen(&change.before), seen(&change.after)) {
            (None, Some(after)) => self.write(events, "ADDED", &after),
            (Some(_), Some(after)) => self.write(events, "MODIFIED", &after),
            (Some(before), None) => {
                let mut gone = (*before).clone();
                set_revision(&mut gone, change.revision);
                self.write(events, "DELETED", &gone);
            }
            (None, None) => {}
        }
    }

    fn bookmark(&self, events: &mut Vec<u8>, initial_end: bool) {
        let mut metadata = json!({"resourceVersion": self.told.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, version) = (self.resource.kind, self.resource.api_version());
        self.write(
            events,
            "BOOKMARK",
            &json!({"kind": kind, "apiVersion": version, "metadata": metadata}),
        );
    }

    fn write(&self, events: &mut Vec<u8>, kind: &str, object: &Value) {
        let object = self.form.one(object).unwrap_or_default();
        events.extend_from_slice(
            json!({"type": kind, "object": object})
                .to_string()
                .as_bytes(),
        );
        events.push(b'\n');
    }
}

fn error_event(refusal: &Refusal) -> Bytes {
    Bytes::from(format!(
        "{}\n",
        json!({"type": "ERROR", "object": refusal.to_json()})
    ))
}
