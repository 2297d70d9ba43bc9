//! The way of one request: its fault, who sends it, what is done, and the answer.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::SystemTime;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::http::response::Builder;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use crate::ask::{Act, Ask};
use crate::bucket::{Contents, Object};
use crate::double::World;
use crate::fault::How;
use crate::{ACCESS_KEY, MISSING, xml};

type Answer = Response<Full<Bytes>>;

/// Serves until the other end is dropped.
pub(crate) fn run(world: Arc<World>, listener: TcpListener, stopped: oneshot::Receiver<()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => {}
            ended = accept(world, listener) => ended.expect("a listener accepts"),
        }
    });
}

async fn accept(world: Arc<World>, listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        // A client may leave before it is accepted.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let world = Arc::clone(&world);
        let service = service_fn(move |request: Request<Incoming>| {
            let world = Arc::clone(&world);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map_err(io::Error::other)?;
                answer(&world, &parts, body.to_bytes()).await
            }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // An error means that the client or a fault cut the connection.
        tokio::spawn(async move { drop(connection.await) });
    }
}

/// Answers a request, or has the connection cut.
async fn answer(world: &World, parts: &Parts, body: Bytes) -> io::Result<Answer> {
    let cut = || Err(io::Error::other("cut"));
    let said = format!("{:?}", parts.headers);
    let Some(ask) = Ask::of(parts) else {
        return Ok(refused(501, "NotImplemented", &said));
    };
    let how = {
        let mut state = world.state();
        *state.seen.entry(ask.act).or_default() += 1;
        state.faults.strike(ask.act)
    };
    match how {
        Some(How::Answer(status, code)) => return Ok(refused(status, code, &said)),
        Some(How::CutBefore) => return cut(),
        Some(How::Delay(time)) => tokio::time::sleep(time).await,
        Some(How::CutAfter) | None => {}
    }
    if ask.access_key.as_deref() != Some(ACCESS_KEY) {
        return Ok(refused(403, "SignatureDoesNotMatch", &said));
    }
    if ask.bucket == MISSING {
        return Ok(refused(404, "NoSuchBucket", &said));
    }
    let done = act(world, &ask, body).unwrap_or_else(|code| {
        let status = match code {
            "PreconditionFailed" => 412,
            "InvalidRange" => 416,
            "InvalidArgument" => 400,
            _ => 404,
        };
        refused(status, code, &said)
    });
    match how {
        Some(How::CutAfter) => cut(),
        _ => Ok(done),
    }
}

/// Acts in one step, under the lock.
fn act(world: &World, ask: &Ask, body: Bytes) -> Result<Answer, &'static str> {
    let contents = &mut world.state().contents;
    let path = format!("{}/{}", ask.bucket, ask.key);
    let id = ask.query("uploadId");
    match ask.act {
        Act::Put => {
            let is_taken = contents.objects.contains_key(&path);
            if ask.is_conditional && is_taken && !world.options.ignores_conditions {
                return Err("PreconditionFailed");
            }
            Ok(stored(&contents.put(&path, body)))
        }
        Act::Copy => {
            let source = ask.source.as_deref().unwrap_or_default();
            let source = find(contents, &format!("{}/{source}", ask.bucket))?.content;
            let object = contents.put(&path, source);
            Ok(whole(ok(), xml::copied(&object.etag).into()))
        }
        Act::Get => get(&find(contents, &path)?, ask.range),
        Act::Head => {
            let object = find(contents, &path)?;
            let answer = described(&object).header("content-length", object.content.len());
            Ok(whole(answer, Bytes::new()))
        }
        Act::Delete => {
            let keys = match ask.key.as_str() {
                "" => xml::keys(&String::from_utf8_lossy(&body)),
                key => vec![key.to_owned()],
            };
            for key in &keys {
                contents.objects.remove(&format!("{}/{key}", ask.bucket));
            }
            Ok(whole(ok(), xml::deleted(&keys).into()))
        }
        Act::List => {
            let after = ask
                .query("continuation-token")
                .max(ask.query("start-after"));
            let (prefix, delimiter) = (ask.query("prefix"), ask.query("delimiter"));
            let most = world.options.page;
            let listing = contents.list(&ask.bucket, prefix, delimiter, after, most);
            Ok(whole(ok(), xml::listing(&listing).into()))
        }
        Act::Begin => Ok(whole(ok(), xml::begun(&contents.begin(&path)).into())),
        Act::Part => {
            let number = ask
                .query("partNumber")
                .parse()
                .map_err(|_| "InvalidArgument")?;
            match contents.part(id, number, body) {
                true => Ok(whole(ok().header("etag", "\"part\""), Bytes::new())),
                false => Err("NoSuchUpload"),
            }
        }
        Act::Complete => {
            let object = contents.complete(id).ok_or("NoSuchUpload")?;
            Ok(whole(ok(), xml::completed(&object.etag).into()))
        }
        Act::Abort => match contents.abort(id) {
            true => Ok(whole(Response::builder().status(204), Bytes::new())),
            false => Err("NoSuchUpload"),
        },
    }
}

fn find(contents: &Contents, path: &str) -> Result<Object, &'static str> {
    contents.objects.get(path).cloned().ok_or("NoSuchKey")
}

fn get(object: &Object, range: Option<(u64, Option<u64>)>) -> Result<Answer, &'static str> {
    let Some((first, last)) = range else {
        return Ok(whole(described(object), object.content.clone()));
    };
    let length = object.content.len() as u64;
    let end = last.map_or(length, |last| (last + 1).min(length));
    if first >= end {
        return Err("InvalidRange");
    }
    let index = |at: u64| usize::try_from(at).expect("it is in memory");
    let part = object.content.slice(index(first)..index(end));
    let range = format!("bytes {first}-{}/{length}", end - 1);
    let answer = described(object).status(206).header("content-range", range);
    Ok(whole(answer, part))
}

fn ok() -> Builder {
    Response::builder().header("content-type", "application/xml")
}

fn stored(object: &Object) -> Answer {
    whole(
        Response::builder().header("etag", &object.etag),
        Bytes::new(),
    )
}

fn described(object: &Object) -> Builder {
    Response::builder()
        .header("etag", &object.etag)
        .header("last-modified", http_date(object.modified))
}

fn refused(status: u16, code: &str, said: &str) -> Answer {
    let answer = Response::builder().status(status);
    whole(
        answer.header("content-type", "application/xml"),
        xml::error(code, said).into(),
    )
}

fn whole(answer: Builder, body: Bytes) -> Answer {
    answer
        .body(Full::new(body))
        .expect("these headers are well-formed")
}

/// As in `Mon, 30 Nov 2026 02:15:13 GMT`; the day of the week is left out, as it may be.
fn http_date(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // 2026-11-30T02:15:13Z
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let month: usize = text[5..7].parse().expect("a month is a number");
    let (year, day, clock) = (&text[..4], &text[8..10], &text[11..19]);
    format!("{day} {} {year} {clock} GMT", MONTHS[month - 1])
}
