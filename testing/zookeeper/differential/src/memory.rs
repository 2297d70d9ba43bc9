//! What one server has answered that later requests of a script refer to.

use std::collections::HashMap;

use incumbent_zk_probe::Reply;
use incumbent_zk_proto::{MultiResult, Request, Response, Stat};

use crate::ask::Memory;

/// Versions of data and of access control lists by path, and the zxids of one session's answers.
pub(crate) struct Remembered<'a>(
    pub(crate) &'a HashMap<String, (i32, i32)>,
    pub(crate) &'a [i64],
);

impl Memory for Remembered<'_> {
    fn version(&self, path: &str) -> i32 {
        self.0.get(path).map_or(0, |seen| seen.0)
    }

    fn acl_version(&self, path: &str) -> i32 {
        self.0.get(path).map_or(0, |seen| seen.1)
    }

    fn zxid(&self, answers_ago: usize) -> i64 {
        let at = self.1.len().checked_sub(answers_ago + 1);
        at.map_or(0, |at| self.1[at])
    }
}

/// Notes the versions in an answer.
pub(crate) fn learn(request: &Request<'_>, reply: &Reply, learnt: &mut Vec<(String, (i32, i32))>) {
    let Ok(response) = &reply.result else { return };
    let mut note = |path: &str, stat: &Stat| {
        learnt.push((path.to_owned(), (stat.version, stat.aversion)));
    };
    match (request, response) {
        (Request::Create(_), Response::Path(path)) => note(path, &Stat::default()),
        (_, Response::Created(path, stat)) => note(path, stat),
        (
            Request::Exists { path, .. }
            | Request::SetData { path, .. }
            | Request::GetData { path, .. }
            | Request::GetAcl { path }
            | Request::SetAcl { path, .. }
            | Request::GetChildren { path, .. },
            Response::Stat(stat)
            | Response::Data(_, stat)
            | Response::Acl(_, stat)
            | Response::Children(_, Some(stat)),
        ) => note(path, stat),
        (Request::Multi(parts), Response::Multi(results)) => {
            for (part, result) in parts.iter().zip(results) {
                if let (Request::SetData { path, .. }, MultiResult::DataSet(stat)) = (part, result)
                {
                    note(path, stat);
                }
            }
        }
        _ => {}
    }
}
