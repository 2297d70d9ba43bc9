//! The delete marker that ConfigMaps have around each handle, and znodes do not.
//!
//! The marker is an object with one flag and the handle. What a stream has in front of the handle
//! is always the same, so a handle moves without being written anew: its own bytes stay as they
//! are. Only numbers by which a stream refers back to earlier things change, because the marker
//! adds three things before them.

use std::str::FromStr;

use crate::decode::DecodeError;
use crate::java::{self, Content, FIRST_HANDLE, Graph, HEADER};

/// The stream of a marked handle up to the flag: the header, the class and its two fields.
const BEFORE_FLAG: &[u8] = b"\xac\xed\x00\x05sr\x00corg.apache.flink.kubernetes.highavailability.\
KubernetesStateHandleStore$StateHandleWithDeleteMarker\x1b\xad\x44\x80\xef\x86\x0d\x7c\x02\x00\x02\
Z\x00\x11markedForDeletionL\x00\x05innert\x007Lorg/apache/flink/runtime/state/\
RetrievableStateHandle;xp";

/// Where the version of the class is in it. Java computes it from the members of the class.
const VERSION: std::ops::Range<usize> = 107..115;

/// That version up to Flink 1.18, whose class lacks a method.
const VERSION_UP_TO_1_18: &[u8] = b"\x9f\x81\x3b\xf3\x99\x65\x43\x7f";

/// The delete marker that a Flink knows: one of another version is no handle to it, and it says
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeleteMarker {
    /// That of Flink 1.19 to 2.3.
    #[default]
    Since1_19,
    /// That of Flink 1.15 to 1.18.
    UpTo1_18,
}

impl DeleteMarker {
    fn version(self) -> &'static [u8] {
        match self {
            Self::Since1_19 => &BEFORE_FLAG[VERSION],
            Self::UpTo1_18 => VERSION_UP_TO_1_18,
        }
    }
}

/// That of the Flink of a version, as `1.18` or `2.3.0`.
impl FromStr for DeleteMarker {
    type Err = NoFlinkVersion;

    fn from_str(version: &str) -> Result<Self, Self::Err> {
        let no = || NoFlinkVersion(version.to_owned());
        let numbers = version.split('.').map(str::parse::<u32>);
        let numbers = numbers.collect::<Result<Vec<_>, _>>().map_err(|_| no())?;
        match numbers[..] {
            [1, minor] | [1, minor, _] if (15..=18).contains(&minor) => Ok(Self::UpTo1_18),
            [major, minor] | [major, minor, _] if (major, minor) >= (1, 19) => Ok(Self::Since1_19),
            _ => Err(no()),
        }
    }
}

/// A text that is no version of a Flink whose data are known.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no version of Flink from 1.15 on, as in 1.18 or 2.3.0")]
pub struct NoFlinkVersion(String);

/// The class, the name of a field's type, and the object itself.
const THINGS: u32 = 3;

/// The handle of a znode, as a ConfigMap has it before base64.
///
/// # Errors
///
/// [`DecodeError`] if it is not one object, or one that numbers its things anew.
pub(crate) fn wrapped(
    object: &[u8],
    deleting: bool,
    marker: DeleteMarker,
) -> Result<Vec<u8>, DecodeError> {
    let graph = one_object(object)?;
    let mut wrapped = BEFORE_FLAG.to_vec();
    wrapped[VERSION].copy_from_slice(marker.version());
    wrapped.push(deleting.into());
    wrapped.extend_from_slice(&object[HEADER.len()..]);
    let moved = wrapped.len() - object.len();
    for at in graph.references {
        renumber(&mut wrapped, at + moved, |number| {
            number.checked_add(THINGS)
        })?;
    }
    Ok(wrapped)
}

/// The handle of a ConfigMap as a znode has it, and whether it is marked for deletion.
///
/// # Errors
///
/// As [`wrapped`], and if the marker is not in the form of Flink 1.15 to 2.3.
pub(crate) fn unwrapped(marked: &[u8]) -> Result<(Vec<u8>, bool), DecodeError> {
    let graph = one_object(marked)?;
    let (flag, rest) = behind_marker(marked)
        .and_then(<[u8]>::split_first)
        .ok_or(DecodeError::Missing("delete marker that is known"))?;
    let deleting = match flag {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Missing("delete marker that is known")),
    };
    let mut object = HEADER.to_vec();
    object.extend_from_slice(rest);
    let moved = marked.len() - object.len();
    for at in graph.references {
        let at = at
            .checked_sub(moved)
            .ok_or(DecodeError::Missing("object of its own"))?;
        renumber(&mut object, at, |number| {
            let number = number.checked_sub(THINGS)?;
            (number >= FIRST_HANDLE).then_some(number)
        })?;
    }
    // It is read as Flink would read it.
    one_object(&object)?;
    Ok((object, deleting))
}

/// The flag, and what follows.
fn behind_marker(marked: &[u8]) -> Option<&[u8]> {
    let (before, rest) = marked.split_at_checked(BEFORE_FLAG.len())?;
    let is_same = before[..VERSION.start] == BEFORE_FLAG[..VERSION.start]
        && before[VERSION.end..] == BEFORE_FLAG[VERSION.end..];
    let known = [DeleteMarker::Since1_19, DeleteMarker::UpTo1_18];
    let is_known = known
        .iter()
        .any(|marker| before[VERSION] == *marker.version());
    (is_same && is_known).then_some(rest)
}

fn one_object(bytes: &[u8]) -> Result<Graph, DecodeError> {
    let graph = java::read(bytes)?;
    match graph.contents[..] {
        [Content::Value(value)] if graph.object(value).is_some() && !graph.resets => Ok(graph),
        _ => Err(DecodeError::Missing("single state handle")),
    }
}

/// Changes the number of a back reference at this place.
fn renumber(
    bytes: &mut [u8],
    at: usize,
    change: impl FnOnce(u32) -> Option<u32>,
) -> Result<(), DecodeError> {
    let outside = DecodeError::Missing("object of its own");
    let place = bytes.get_mut(at..at + 4).ok_or(outside.clone())?;
    let number = u32::from_be_bytes(place.try_into().expect("it is four bytes long"));
    let number = change(number).ok_or(outside)?;
    place.copy_from_slice(&number.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::fixtures::{MAPS, ZNODES, made, maps, tree};

    const SINCE: DeleteMarker = DeleteMarker::Since1_19;

    /// As Java itself has serialized the three.
    #[test]
    fn a_handle_is_marked_and_unmarked_byte_for_byte_as_flink_does() {
        let made = made();
        for name in ["file", "relative", "memory"] {
            let [bare, kept, deleting] =
                ["handle", "kept", "deleting"].map(|form| &made[&*format!("{form}-{name}")]);
            assert_eq!(&wrapped(bare, false, SINCE).unwrap(), kept, "{name}");
            assert_eq!(&wrapped(bare, true, SINCE).unwrap(), deleting, "{name}");
            assert_eq!(unwrapped(kept).unwrap(), (bare.clone(), false), "{name}");
            assert_eq!(unwrapped(deleting).unwrap(), (bare.clone(), true), "{name}");
        }
    }

    #[test]
    fn every_handle_that_flink_stored_keeps_its_bytes() {
        let mut seen = 0;
        for (_, json) in MAPS {
            let data = maps(json).into_iter().filter_map(|map| map.data);
            for value in data.flat_map(std::collections::BTreeMap::into_values) {
                let Ok(marked) = STANDARD.decode(&value) else {
                    continue;
                };
                if marked.starts_with(&HEADER) {
                    let (object, deleting) = unwrapped(&marked).unwrap();
                    assert_eq!(wrapped(&object, deleting, SINCE).unwrap(), marked);
                    seen += 1;
                }
            }
        }
        for (_, lines) in ZNODES {
            for (path, node) in tree(lines) {
                if node.data.starts_with(&HEADER) && !path.starts_with("/leader") {
                    let marked = wrapped(&node.data, true, SINCE).unwrap();
                    assert_eq!(unwrapped(&marked).unwrap(), (node.data, true), "{path}");
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 14);
    }

    /// The number is what `serialver` prints for the class of 1.18.1, and 1994325530560040316 for
    /// 1.19.0, 1.20.5 and 2.3.0.
    #[test]
    fn the_marker_of_flink_1_18_is_known() {
        assert_eq!(
            BEFORE_FLAG[VERSION],
            1_994_325_530_560_040_316_i64.to_be_bytes()
        );
        assert_eq!(
            VERSION_UP_TO_1_18,
            (-6_953_210_432_246_692_993_i64).to_be_bytes()
        );
        let made = made();
        let mut marked = made["kept-file"].clone();
        marked[VERSION].copy_from_slice(VERSION_UP_TO_1_18);
        let up_to = "1.18.1".parse().unwrap();
        assert_eq!(wrapped(&made["handle-file"], false, up_to).unwrap(), marked);
        assert_eq!(
            unwrapped(&marked).unwrap(),
            (made["handle-file"].clone(), false)
        );
        marked[VERSION.start] = 0;
        assert!(unwrapped(&marked).is_err());
    }

    #[test]
    fn a_version_of_flink_has_a_marker() {
        for (version, marker) in [
            ("1.15", Some(DeleteMarker::UpTo1_18)),
            ("1.18.1", Some(DeleteMarker::UpTo1_18)),
            ("1.19", Some(SINCE)),
            ("2.3.0", Some(SINCE)),
            ("1.14", None),
            ("2", None),
            ("1.18-SNAPSHOT", None),
            ("", None),
        ] {
            assert_eq!(version.parse().ok(), marker, "{version}");
        }
    }

    /// Class 0, a type's name 1, the object 2; its second field refers back to the first.
    #[test]
    fn a_stream_that_refers_back_is_renumbered() {
        let back = b"\xac\xed\x00\x05sr\x00\x01A\0\0\0\0\0\0\0\0\x02\x00\x02L\x00\x01at\x00\x03LB;\
                     L\x00\x01bq\x00\x7e\x00\x01xpt\x00\x01vq\x00\x7e\x00\x03";
        let marked = wrapped(back, false, SINCE).unwrap();
        assert!(
            marked.ends_with(b"t\x00\x01vq\x00\x7e\x00\x06"),
            "{marked:x?}"
        );
        java::read(&marked).unwrap();
        assert_eq!(unwrapped(&marked).unwrap(), (back.to_vec(), false));
        // What refers to the marker itself cannot do without it.
        let mut into_marker = marked;
        let end = into_marker.len();
        into_marker[end - 1] = 1;
        assert!(unwrapped(&into_marker).is_err());
    }

    #[test]
    fn what_is_not_one_marked_handle_is_refused() {
        let made = made();
        for bytes in [
            &made["handle-file"][..],
            &made["everything"],
            b"",
            b"text",
            &made["kept-file"][..200],
        ] {
            assert!(unwrapped(bytes).is_err());
        }
        assert!(wrapped(&made["everything"], false, SINCE).is_err());
        assert!(wrapped(&made["handle-file"][..50], false, SINCE).is_err());
    }
}
