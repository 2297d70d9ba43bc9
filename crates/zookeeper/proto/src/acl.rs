//! Access control lists.

use crate::jute::{LENGTH_BYTES, Malformed, Reader, Write};

/// Permissions, as bits of [`Acl::perms`].
pub mod perms {
    /// Reading data, children and, in part, the list itself.
    pub const READ: i32 = 1;
    /// Changing data.
    pub const WRITE: i32 = 2;
    /// Creating children.
    pub const CREATE: i32 = 4;
    /// Deleting children.
    pub const DELETE: i32 = 8;
    /// Changing the list.
    pub const ADMIN: i32 = 16;
    /// All of these.
    pub const ALL: i32 = 31;
}

/// An identity in one scheme: `world`, `ip`, `digest`, `x509`, `auth` or `super`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// The scheme.
    pub scheme: String,
    /// The identity in it.
    pub id: String,
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Acl {
    /// What it allows: bits of [`perms`].
    pub perms: i32,
    /// To whom.
    pub id: Id,
}

impl Id {
    /// Everybody.
    pub fn anyone() -> Self {
        Self {
            scheme: "world".into(),
            id: "anyone".into(),
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            scheme: reader.nullable_string()?.unwrap_or_default().into(),
            id: reader.nullable_string()?.unwrap_or_default().into(),
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.string(&self.scheme);
        out.string(&self.id);
    }
}

impl Acl {
    /// The least bytes one takes.
    const SMALLEST: usize = 3 * LENGTH_BYTES;

    /// Everybody may do everything.
    pub fn open() -> Self {
        Self {
            perms: perms::ALL,
            id: Id::anyone(),
        }
    }

    /// Reads a list.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, Malformed> {
        reader.vector(Self::SMALLEST, |reader| {
            Ok(Self {
                perms: reader.int()?,
                id: Id::read(reader)?,
            })
        })
    }

    /// Writes a list.
    pub fn write_list(list: &[Self], out: &mut Vec<u8>) {
        out.length(list.len());
        for entry in list {
            out.int(entry.perms);
            entry.id.write(out);
        }
    }
}
