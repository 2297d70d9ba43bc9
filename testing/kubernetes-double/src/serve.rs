//! The way of one request: its faults, who sends it, whether they may, what is done, and the
//! answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::Value;

use crate::act::{delete, patch, read, watch, write};
use crate::fault::How;
use crate::request::access::{Act, User};
use crate::request::answer::{Answer, Cut, json as answer_json, refused, whole};
use crate::request::ask::{Ask, Headers, Target};
use crate::request::status::Refusal;
use crate::request::{discovery, review};
use crate::seen::{Entry, Seen};
use crate::verb::Verb;
use crate::world::{World, now};

/// How long a read waits for a revision that has not come yet, as the real server does.
const WAIT_FOR_VERSION: Duration = Duration::from_secs(3);

impl World {
    /// Answers a request, or has the connection cut.
    pub(crate) async fn answer(
        self: &Arc<World>,
        parts: &Parts,
        body: Result<Bytes, Refusal>,
    ) -> Result<Answer, Cut> {
        let headers = Headers::of(&parts.headers);
        let bytes_in = body.as_ref().map_or(0, Bytes::len) as u64;
        // A fault may strike a request whose body is too long to be read.
        let (body, too_large) = match body {
            Ok(body) => (body, None),
            Err(refusal) => (Bytes::new(), Some(refusal)),
        };
        let target = Target::of(parts, body);
        let (entry, how) = match &target {
            Ok(Target::Objects(ask)) => {
                let seen = Seen {
                    verb: ask.verb(),
                    resource: ask.resource_path(),
                    namespace: ask.namespace.clone(),
                    name: ask.name_to_tell(),
                    ..seen(&headers, bytes_in)
                };
                self.strike(seen)
            }
            Ok(Target::Review(review, _)) => {
                let resource = review.plural().to_owned();
                self.strike(Seen {
                    resource,
                    ..seen(&headers, bytes_in)
                })
            }
            _ => (None, self.state().faults.strike(None, "", "")),
        };
        let how = match how {
            Some(How::Answer {
                status,
                reason,
                message,
                retry_after,
            }) => {
                let answer = refused(&ordered(status, &reason, &message, retry_after));
                return Ok(counted(answer, entry));
            }
            Some(How::CutBefore) => return Err(Cut),
            Some(How::HangBefore) => std::future::pending().await,
            Some(How::Delay { before, after }) => {
                tokio::time::sleep(before).await;
                Some(How::Delay { before, after })
            }
            how => how,
        };
        let answer = match (target, too_large) {
            (_, Some(refusal)) | (Err(refusal), None) => refused(&refusal),
            (Ok(target), None) => self
                .serve(target, &headers)
                .await
                .unwrap_or_else(|refusal| refused(&refusal)),
        };
        match how {
            Some(How::CutAfter) => return Err(Cut),
            Some(How::HangAfter) => std::future::pending().await,
            Some(How::Delay { after, .. }) => tokio::time::sleep(after).await,
            Some(How::CutInAnswer) => {
                let (head, body) = answer.into_parts();
                return Ok(counted(Answer::from_parts(head, body.cut_in_half()), entry));
            }
            _ => {}
        }
        Ok(counted(answer, entry))
    }

    /// Logs a request, and returns the fault that strikes it.
    fn strike(&self, seen: Seen) -> (Option<Arc<Entry>>, Option<How>) {
        let mut state = self.state();
        let how = state
            .faults
            .strike(Some(seen.verb), &seen.resource, &seen.name);
        (Some(state.log.add(seen)), how)
    }

    async fn serve(
        self: &Arc<World>,
        target: Target,
        headers: &Headers,
    ) -> Result<Answer, Refusal> {
        let user = self.user(headers)?;
        let ask = match target {
            Target::Other(path) => {
                return Ok(discovery::answer(&path, headers).unwrap_or_else(no_such_page));
            }
            Target::Review(review, body) => {
                let body = review::answer(review, &user, &body, &self.state().store)?;
                return Ok(answer_json(201, &body));
            }
            Target::Objects(ask) => ask,
        };
        self.permit(&user, &ask, ask.verb)?;
        if matches!(ask.verb, "get" | "list")
            && let Some(version) = read::wanted_version(&ask)?
        {
            self.wait_for(version).await?;
        }
        if ask.verb == "watch" {
            return watch::watch(self, &ask);
        }
        let (status, body) = self.act(&user, &ask)?;
        Ok(answer_json(status, &body))
    }

    /// Acts in one step, under the lock.
    fn act(&self, user: &User, ask: &Ask) -> write::Done {
        let now = now();
        let may_create = self.permit(user, ask, "create");
        let form = crate::request::represent::Form::accepted(&ask.headers.accept)?;
        let (status, body) = self.with_store(|store| match ask.verb {
            "get" => read::get(store, ask),
            "list" => read::list(store, ask),
            "create" => write::create(store, ask, &now),
            "update" => write::update(store, ask, &now, may_create),
            "patch" => patch::patch(store, ask),
            "delete" => delete::delete(store, ask, &now),
            _ => delete::delete_collection(store, ask, &now),
        })?;
        let written = matches!(ask.verb, "create" | "update" | "patch");
        Ok((status, if written { form.one(&body)? } else { body }))
    }

    fn permit(&self, user: &User, ask: &Ask, verb: &str) -> Result<(), Refusal> {
        let (resource, namespace, group) = (
            ask.resource_path(),
            ask.namespace_to_judge(),
            ask.resource.group,
        );
        let act = Act {
            verb,
            group,
            resource: &resource,
            namespace,
            name: &ask.name,
        };
        if user.may(act, &self.state().store) {
            return Ok(());
        }
        let place = match namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let what = format!(
            "User {:?} cannot {verb} resource {resource:?} in API group {group:?} {place}",
            user.name
        );
        Err(Refusal::forbidden(
            group,
            ask.resource.plural,
            &ask.name,
            &what,
        ))
    }

    /// The user with this token, or the administrator if there is no token.
    fn user(&self, headers: &Headers) -> Result<User, Refusal> {
        let user = match &headers.token {
            None => User::admin(),
            Some(token) => {
                let user = self.state().users.with(token).cloned();
                user.ok_or_else(|| Refusal::new(401, "Unauthorized", "Unauthorized"))?
            }
        };
        let Some(other) = &headers.impersonate else {
            return Ok(user);
        };
        if user.admin {
            return Ok(User::new(other, Vec::new()));
        }
        let name = user.name;
        let what = format!(
            "User {name:?} cannot impersonate resource \"users\" in API group \"\" at the cluster scope"
        );
        Err(Refusal::forbidden("", "users", other, &what))
    }

    async fn wait_for(&self, version: u64) -> Result<(), Refusal> {
        let mut changed = self.changed.subscribe();
        let come = tokio::time::timeout(
            WAIT_FOR_VERSION,
            changed.wait_for(|revision| *revision >= version),
        )
        .await
        .is_ok();
        let current = self.state().store.revision();
        if come {
            Ok(())
        } else {
            Err(Refusal::too_large_version(version, current))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests compare when requests came, as the client's own clock has it"
)]
fn seen(headers: &Headers, bytes_in: u64) -> Seen {
    Seen {
        verb: Verb::Review,
        resource: String::new(),
        namespace: String::new(),
        name: String::new(),
        status: 0,
        user_agent: headers.user_agent.clone(),
        bytes_in,
        bytes_out: 0,
        at: Instant::now(),
    }
}

fn counted(mut answer: Answer, entry: Option<Arc<Entry>>) -> Answer {
    if let Some(entry) = entry {
        entry.status.store(
            answer.status().as_u16(),
            std::sync::atomic::Ordering::Relaxed,
        );
        answer.body_mut().count_in(entry);
    }
    answer
}

fn ordered(status: u16, reason: &str, message: &str, retry_after: Option<u32>) -> Refusal {
    let mut refusal = Refusal::new(status, reason, message);
    refusal.retry_after = retry_after;
    if let Some(seconds) = retry_after {
        refusal.detail("retryAfterSeconds", Value::from(seconds));
    }
    refusal
}

fn no_such_page() -> Answer {
    whole(
        404,
        "text/plain; charset=utf-8",
        Bytes::from_static(b"404 page not found\n"),
    )
}
