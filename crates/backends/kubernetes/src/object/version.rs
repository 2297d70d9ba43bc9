//! Versions of objects: every replacement and deletion names one.

use incumbent_backend::Version;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// One state of one object. Nothing is replaced or deleted without one.
///
/// The server compares both parts, in one step with the write. The number counts the writes of the
/// whole cluster. The id is needed too: a replacement without an id creates a Lease that does not
/// exist, and a cluster that was restored from a backup counts again from there, but gives new
/// objects new ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectVersion {
    uid: String,
    resource_version: String,
}

impl ObjectVersion {
    /// The version in an object's metadata.
    pub(crate) fn of(object: &ObjectMeta) -> Option<Self> {
        Self::new(object.uid.as_ref()?, object.resource_version.as_ref()?)
    }

    /// `None` if no object can have this version.
    pub(crate) fn of_version(version: &Version) -> Option<Self> {
        let (uid, resource_version) = version.as_str().split_once(':')?;
        Self::new(uid, resource_version)
    }

    fn new(uid: &str, resource_version: &str) -> Option<Self> {
        let good_uid =
            !uid.is_empty() && uid.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        // To the server, an empty version and zero mean any version.
        let good_version = resource_version.starts_with(|c: char| matches!(c, '1'..='9'))
            && resource_version.chars().all(|c| c.is_ascii_digit());
        (good_uid && good_version).then(|| Self {
            uid: uid.to_owned(),
            resource_version: resource_version.to_owned(),
        })
    }

    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    pub(crate) fn resource_version(&self) -> &str {
        &self.resource_version
    }

    pub(crate) fn version(&self) -> Version {
        Version::new(format!("{}:{}", self.uid, self.resource_version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_back() {
        let object = ObjectMeta {
            uid: Some("5a7b-1".into()),
            resource_version: Some("1042".into()),
            ..ObjectMeta::default()
        };
        let version = ObjectVersion::of(&object).unwrap();
        assert_eq!(version.version().as_str(), "5a7b-1:1042");
        assert_eq!(ObjectVersion::of_version(&version.version()), Some(version));
    }

    #[test]
    fn what_would_mean_any_version_is_none() {
        for other in [
            "", ":", "a:", ":1", "a:0", "a:00", "a:01", "a:-1", "a:+1", "a:x", "a:1 ", "a b:1",
            "1", "a:1:1",
        ] {
            assert_eq!(
                ObjectVersion::of_version(&Version::new(other)),
                None,
                "{other:?}"
            );
        }
        for (uid, version) in [
            (None, Some("1")),
            (Some("a"), None),
            (Some("a"), Some("0")),
            (Some(""), Some("1")),
        ] {
            let object = ObjectMeta {
                uid: uid.map(str::to_owned),
                resource_version: version.map(str::to_owned),
                ..ObjectMeta::default()
            };
            assert_eq!(ObjectVersion::of(&object), None);
        }
    }
}
