//! Files in a bucket of S3, or of what speaks its protocol.

mod fetch;
mod remote;
mod uploads;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig,
};

#[cfg(feature = "parquet")]
pub(crate) use fetch::RandomAccess;
pub(crate) use remote::Remote;
pub(crate) use uploads::Uploads;

use crate::Error;
use crate::place::{Place, Root};

/// The longest that one request takes.
const REQUEST: Duration = Duration::from_secs(15);

/// The longest that a connection takes.
const CONNECT: Duration = Duration::from_secs(5);

/// How often the library repeats a request that was not answered, or with 5xx: a store says
/// `SlowDown` to everybody now and then. What lasts longer ends the attempt.
const RETRIES: usize = 5;

/// When it begins none of them any more.
const RETRY: Duration = Duration::from_secs(30);

/// The longest pause before one of them.
const PAUSE: Duration = Duration::from_secs(2);

/// A place in a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) store: Arc<AmazonS3>,
    name: String,
    prefix: String,
    /// The prefix is an object.
    is_object: bool,
}

impl Bucket {
    /// Asks nobody yet.
    pub(crate) fn open(
        place: &Place,
        settings: Option<&[(String, String)]>,
    ) -> Result<Self, Error> {
        let Root::Bucket { name, prefix } = &place.root else {
            unreachable!("the caller has looked");
        };
        let wrong = |why: &dyn Display| Error::Url {
            url: place.url.clone(),
            why: why.to_string(),
        };
        let from_env: Vec<(String, String)>;
        let settings = match settings {
            Some(settings) => settings,
            None => {
                // Settings that are not UTF-8 are none that the store knows.
                let all = std::env::vars_os();
                from_env = all
                    .filter_map(|(name, value)| {
                        Some((name.into_string().ok()?, value.into_string().ok()?))
                    })
                    .collect();
                &from_env
            }
        };
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
        let value = |key| builder.get_config_value(&key);
        let endpoint = value(AmazonS3ConfigKey::S3Endpoint).or(value(AmazonS3ConfigKey::Endpoint));
        let may = value(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
        if endpoint.is_some_and(|it| it.starts_with("http:")) && may.as_deref() != Some("true") {
            let why =
                "its endpoint is http:, without TLS; if that is meant, set AWS_ALLOW_HTTP=true";
            return Err(wrong(&why));
        }
        Path::parse(prefix).map_err(|error| wrong(&error))?;
        let store = builder.with_bucket_name(name).build();
        Ok(Self {
            store: Arc::new(store.map_err(|error| wrong(&error))?),
            name: name.clone(),
            prefix: prefix.clone(),
            is_object: false,
        })
    }

    /// The key of a file.
    pub(crate) fn key(&self, name: &str) -> String {
        match self.prefix.as_str() {
            prefix if self.is_object => prefix.to_owned(),
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    /// The same, as the library has it. What it listed, it takes.
    pub(crate) fn path(&self, name: &str) -> Path {
        let key = self.key(name);
        Path::parse(&key).unwrap_or_else(|_| Path::from(key))
    }

    /// The whole name of a file, for people.
    pub(crate) fn describe(&self, name: &str) -> String {
        format!("s3://{}/{}", self.name, self.key(name))
    }

    /// Whether the URL means one object.
    pub(crate) async fn look_whether_object(&mut self, place: &Place) -> Result<(), Error> {
        if place.pattern.is_some() || self.prefix.is_empty() {
            return Ok(());
        }
        match self.store.head(&self.path_of_prefix()).await {
            Ok(_) => self.is_object = true,
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(list_failed(place, error)),
        }
        Ok(())
    }

    fn path_of_prefix(&self) -> Path {
        Path::parse(&self.prefix).unwrap_or_else(|_| Path::from(self.prefix.as_str()))
    }

    /// The names of the objects that are meant, sorted. Of one object, its name.
    pub(crate) async fn list(&self, place: &Place) -> Result<Vec<String>, Error> {
        let prefix = self.path_of_prefix();
        if self.is_object {
            return Ok(prefix.filename().map(str::to_owned).into_iter().collect());
        }
        let prefix = (!self.prefix.is_empty()).then_some(&prefix);
        let listed = self.store.list_with_delimiter(prefix).await;
        let listed = listed.map_err(|error| list_failed(place, error))?;
        let found = listed
            .objects
            .iter()
            .filter_map(|found| found.location.filename());
        let mut names: Vec<_> = found
            .filter(|name| place.has(name))
            .map(str::to_owned)
            .collect();
        names.sort();
        Ok(names)
    }
}

fn list_failed(place: &Place, error: object_store::Error) -> Error {
    Error::List {
        url: place.url.clone(),
        cause: error.into(),
    }
}
