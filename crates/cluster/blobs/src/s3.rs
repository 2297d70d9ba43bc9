//! A bucket of S3, or of what speaks its protocol.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};

use crate::answer::innermost;
use crate::error::Error;

/// What is right, for messages.
const RIGHT: &str = "write s3://BUCKET or s3://BUCKET/PREFIX";

/// How much of a file is written or read at once. A file of 16 GiB has 2,048 such parts; S3 takes
/// 10,000, of 5 MiB or more.
pub(crate) const PART: usize = 8 * 1024 * 1024;

/// The longest that one request takes. With what is repeated, an operation ends in its time.
const REQUEST: Duration = Duration::from_secs(15);

/// The longest that a connection takes.
const CONNECT: Duration = Duration::from_secs(5);

/// How often the library repeats a request that was not answered, or with 5xx: a store says
/// `SlowDown` to everybody now and then. What lasts longer is an outage, which is the caller's.
const RETRIES: usize = 3;

/// When it begins none of them any more.
const RETRY: Duration = Duration::from_secs(10);

/// The longest pause before one of them.
const PAUSE: Duration = Duration::from_secs(2);

/// How the settings are named by which this process proves who it is. Without any, the machine is
/// asked, if it is one of AWS.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Where in which bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bucket {
    name: String,
    /// Names with slashes between them; empty for the whole bucket.
    prefix: String,
}

impl Bucket {
    /// From what follows `s3:` in a URL.
    ///
    /// # Errors
    ///
    /// Why it names no bucket. Nothing of the URL is in it: it may hold a password.
    pub(crate) fn parse(rest: &str) -> Result<Self, String> {
        let Some(rest) = rest.strip_prefix("//") else {
            return Err(format!("it names no bucket; {RIGHT}"));
        };
        if rest.contains(['@', '?', '#']) {
            return Err(format!(
                "credentials and options come from the environment (AWS_ACCESS_KEY_ID, \
                 AWS_ENDPOINT_URL, …); {RIGHT}"
            ));
        }
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
        if !(3..=63).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(format!("it names no bucket; {RIGHT}"));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        let is_name = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(allowed)
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_name) {
            let what = "a prefix is names of letters, digits, ., _ and -, with / between them";
            return Err(format!("{what}; {RIGHT}"));
        }
        Ok(Self {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    /// The URL, as messages show it.
    pub(crate) fn url(&self) -> String {
        match self.prefix.as_str() {
            "" => format!("s3://{}", self.name),
            prefix => format!("s3://{}/{prefix}", self.name),
        }
    }

    /// Whether a listing comes in the order of names. Those of directory buckets do not.
    pub(crate) fn is_ordered(&self) -> bool {
        !self.name.ends_with("--x-s3")
    }

    /// Opens it with these settings, as an environment has them. Asks nobody yet.
    pub(crate) fn open(
        &self,
        settings: &[(String, String)],
    ) -> Result<Arc<dyn ObjectStore>, Error> {
        let mut builder = AmazonS3Builder::new()
            .with_client_options(
                ClientOptions::new()
                    .with_timeout(REQUEST)
                    .with_connect_timeout(CONNECT),
            )
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    max_backoff: PAUSE,
                    ..BackoffConfig::default()
                },
                max_retries: RETRIES,
                retry_timeout: RETRY,
            });
        for (name, value) in settings.iter().filter(|(name, _)| name.starts_with("AWS_")) {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        self.refuse_plain_text(&builder)?;
        if !settings
            .iter()
            .any(|(name, _)| CREDENTIALS.contains(&name.as_str()))
        {
            tracing::info!(
                blobs = self.url(),
                "no AWS_ACCESS_KEY_ID is set; asking this machine for its credentials, as on EC2"
            );
        }
        // The bucket is the URL's, whatever the environment says.
        let store = builder.with_bucket_name(&self.name).build();
        let store = store.map_err(|error| self.refused(&innermost(&error)))?;
        if self.prefix.is_empty() {
            return Ok(Arc::new(store));
        }
        Ok(Arc::new(PrefixStore::new(
            store,
            Path::from(self.prefix.as_str()),
        )))
    }

    fn refuse_plain_text(&self, builder: &AmazonS3Builder) -> Result<(), Error> {
        let value = |key| builder.get_config_value(&key);
        let endpoint = value(AmazonS3ConfigKey::S3Endpoint).or(value(AmazonS3ConfigKey::Endpoint));
        let may = value(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http:"));
        if is_plain && may.as_deref() != Some("true") {
            let why =
                "its endpoint is http:, without TLS; if that is meant, set AWS_ALLOW_HTTP=true";
            return Err(self.refused(why));
        }
        Ok(())
    }

    /// The error of a bucket that cannot be used.
    pub(crate) fn refused(&self, why: &str) -> Error {
        Error::Address {
            url: self.url(),
            why: why.to_owned(),
            source: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_a_prefix_are_understood() {
        for (rest, url) in [
            ("//abc", "s3://abc"),
            ("//abc/", "s3://abc"),
            ("//abc/x/y.z/", "s3://abc/x/y.z"),
        ] {
            assert_eq!(Bucket::parse(rest).unwrap().url(), url);
        }
        for bad in [
            "",
            "abc",
            "//",
            "//ab",
            "//ABC",
            "//abc//x",
            "//abc/x//y",
            "//abc/../x",
            "//abc/.",
            "//abc/a b",
            "//abc/a%2fb",
            "//key:secret@abc",
            "//abc?x=1",
            "//abc/#x",
        ] {
            let why = Bucket::parse(bad).unwrap_err();
            assert!(why.contains("s3://BUCKET"), "{bad}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn plain_text_is_refused_unless_it_is_meant() {
        let bucket = Bucket::parse("//abc").unwrap();
        let open = |settings: &[(&str, &str)]| {
            let settings: Vec<_> = settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            bucket.open(&settings)
        };
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3"] {
            let endpoint = (name, "http://user:secret@127.0.0.1:9");
            let refused = open(&[endpoint]).unwrap_err().to_string();
            assert!(refused.contains("AWS_ALLOW_HTTP=true"), "{refused}");
            assert!(!refused.contains("secret"), "{refused}");
            open(&[endpoint, ("AWS_ALLOW_HTTP", "true")]).unwrap();
        }
        let refused = open(&[("AWS_SECRET_ACCESS_KEY", "secret")]).unwrap_err();
        assert!(refused.to_string().contains("AccessKeyId"), "{refused}");
    }
}
