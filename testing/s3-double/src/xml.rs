//! Answers and requests with XML, as far as they are needed.

use crate::bucket::Listing;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// An error as S3 words it: it repeats what was signed, and so may hold secrets.
pub(crate) fn error(code: &str, canonical_request: &str) -> String {
    let request = escaped(canonical_request);
    format!(
        "{HEAD}<Error><Code>{code}</Code><Message>of the double</Message>\
         <CanonicalRequest>{request}</CanonicalRequest></Error>"
    )
}

pub(crate) fn listing(listing: &Listing) -> String {
    let mut text = format!("{HEAD}<ListBucketResult>");
    for (key, object) in &listing.objects {
        let modified = humantime::format_rfc3339_millis(object.modified);
        text += &format!(
            "<Contents><Key>{}</Key><LastModified>{modified}</LastModified><ETag>{}</ETag>\
             <Size>{}</Size></Contents>",
            escaped(key),
            escaped(&object.etag),
            object.content.len(),
        );
    }
    for prefix in &listing.prefixes {
        let prefix = escaped(prefix);
        text += &format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>");
    }
    if let Some(next) = &listing.next {
        let next = escaped(next);
        text += &format!("<NextContinuationToken>{next}</NextContinuationToken>");
    }
    text += &format!(
        "<IsTruncated>{}</IsTruncated></ListBucketResult>",
        listing.next.is_some()
    );
    text
}

pub(crate) fn begun(id: &str) -> String {
    format!(
        "{HEAD}<InitiateMultipartUploadResult><UploadId>{id}</UploadId>\
         </InitiateMultipartUploadResult>"
    )
}

pub(crate) fn completed(etag: &str) -> String {
    let etag = escaped(etag);
    format!(
        "{HEAD}<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
    )
}

pub(crate) fn copied(etag: &str) -> String {
    let etag = escaped(etag);
    format!("{HEAD}<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>")
}

pub(crate) fn deleted(keys: &[String]) -> String {
    let keys = keys
        .iter()
        .map(|key| format!("<Deleted><Key>{}</Key></Deleted>", escaped(key)));
    format!(
        "{HEAD}<DeleteResult>{}</DeleteResult>",
        keys.collect::<String>()
    )
}

/// The keys that a request wants deleted.
pub(crate) fn keys(body: &str) -> Vec<String> {
    let keys = body.split("<Key>").skip(1);
    keys.filter_map(|rest| Some(unescaped(rest.split_once("</Key>")?.0)))
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&apos;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}
