//! What every answer says to browsers.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An answer of a task, which is secured in its own way.
#[derive(Clone, Copy)]
pub(super) struct OfTask;

/// Whether an answer is a task's.
pub(crate) fn is_of_task(response: &Response) -> bool {
    response.extensions().get::<OfTask>().is_some()
}

/// What a node says to another one. It may be a task's answer, to be passed on as it is.
pub(crate) fn between_nodes(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// Says to browsers: take it for what it says it is, show it in no frame and to no other page, keep
/// no copy, and say nobody where you were.
pub(crate) fn secured(mut response: Response) -> Response {
    let is_of_task = is_of_task(&response);
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_of_task {
        return response;
    }
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // The pages have a wider one. Nothing else is shown as a page.
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
