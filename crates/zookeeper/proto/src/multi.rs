//! Several requests in one, and their results. Each has a small header of its own.

use crate::data::{read_data, read_names};
use crate::jute::{Malformed, Reader, Write};
use crate::{Code, Data, Op, Request, Stat};

/// The kind of a result that is an error, and of the end of a list.
const NONE: i32 = -1;

/// Result of one part of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultiResult {
    /// A node was created.
    Created {
        /// The path.
        path: String,
        /// Its stat, if the kind of the part asks for it.
        stat: Option<Stat>,
    },
    /// The node was deleted.
    Deleted,
    /// The data was set.
    DataSet(Stat),
    /// The node has the version.
    Checked,
    /// The part was refused, or has no effect because another part was: `None` if it came before
    /// that one.
    Refused(Option<Code>),
}

/// Result of one part of several reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadResult {
    /// Data of a node.
    Data(Data, Stat),
    /// Names of children.
    Children(Vec<std::sync::Arc<str>>),
    /// Refused.
    Refused(Code),
}

impl<'a> Request<'a> {
    /// The kinds that [`Op::Multi`] may hold.
    pub(crate) const WRITES: &'static [Op] = &[
        Op::Create,
        Op::Create2,
        Op::CreateContainer,
        Op::CreateTtl,
        Op::Delete,
        Op::SetData,
        Op::Check,
    ];

    /// The kinds that [`Op::MultiRead`] may hold.
    pub(crate) const READS: &'static [Op] = &[Op::GetData, Op::GetChildren];

    /// Reads parts of these kinds, up to the end of their list.
    pub(crate) fn read_parts(
        reader: &mut Reader<'a>,
        allowed: &[Op],
    ) -> Result<Vec<Self>, Malformed> {
        let mut parts = Vec::new();
        while let Some((number, _)) = read_header(reader)? {
            let op = Op::from_number(number)
                .filter(|op| allowed.contains(op))
                .ok_or(Malformed::Unknown {
                    what: "part of a transaction, of kind",
                    number,
                })?;
            parts.push(Self::read(op, reader)?);
        }
        Ok(parts)
    }

    /// Writes parts, and the end of their list.
    pub(crate) fn write_parts(parts: &[Self], out: &mut Vec<u8>) {
        for part in parts {
            write_header(part.op().number(), false, -1, out);
            part.write(out);
        }
        write_header(NONE, true, -1, out);
    }
}

/// Kind and error of the next part, or `None` at the end.
fn read_header(reader: &mut Reader<'_>) -> Result<Option<(i32, i32)>, Malformed> {
    let number = reader.int()?;
    let done = reader.bool()?;
    let err = reader.int()?;
    Ok((!done).then_some((number, err)))
}

fn write_header(number: i32, done: bool, err: i32, out: &mut Vec<u8>) {
    out.int(number);
    out.bool(done);
    out.int(err);
}

fn write_error(code: Option<Code>, out: &mut Vec<u8>) {
    let number = code.map_or(0, Code::number);
    write_header(NONE, false, number, out);
    out.int(number);
}

fn read_error(reader: &mut Reader<'_>) -> Result<Option<Code>, Malformed> {
    match reader.int()? {
        0 => Ok(None),
        number => Code::from_number(number)
            .map(Some)
            .ok_or(Malformed::Unknown {
                what: "error",
                number,
            }),
    }
}

impl MultiResult {
    pub(crate) fn write_all(results: &[Self], out: &mut Vec<u8>) {
        for result in results {
            result.write(out);
        }
        write_header(NONE, true, -1, out);
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut header = |op: Op| write_header(op.number(), false, 0, out);
        match self {
            Self::Created { path, stat: None } => {
                header(Op::Create);
                out.string(path);
            }
            Self::Created {
                path,
                stat: Some(stat),
            } => {
                header(Op::Create2);
                out.string(path);
                stat.write(out);
            }
            Self::Deleted => header(Op::Delete),
            Self::DataSet(stat) => {
                header(Op::SetData);
                stat.write(out);
            }
            Self::Checked => header(Op::Check),
            Self::Refused(code) => write_error(*code, out),
        }
    }

    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, Malformed> {
        let mut results = Vec::new();
        while let Some((number, _)) = read_header(reader)? {
            results.push(match Op::from_number(number) {
                None if number == NONE => Self::Refused(read_error(reader)?),
                Some(Op::Create) => Self::Created {
                    path: reader.string()?.into(),
                    stat: None,
                },
                Some(Op::Create2) => Self::Created {
                    path: reader.string()?.into(),
                    stat: Some(Stat::read(reader)?),
                },
                Some(Op::Delete) => Self::Deleted,
                Some(Op::SetData) => Self::DataSet(Stat::read(reader)?),
                Some(Op::Check) => Self::Checked,
                _ => return Err(unknown_result(number)),
            });
        }
        Ok(results)
    }
}

impl ReadResult {
    pub(crate) fn write_all(results: &[Self], out: &mut Vec<u8>) {
        for result in results {
            match result {
                Self::Data(data, stat) => {
                    write_header(Op::GetData.number(), false, 0, out);
                    out.buffer(data.as_deref());
                    stat.write(out);
                }
                Self::Children(names) => {
                    write_header(Op::GetChildren.number(), false, 0, out);
                    out.strings(names);
                }
                Self::Refused(code) => write_error(Some(*code), out),
            }
        }
        write_header(NONE, true, -1, out);
    }

    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, Malformed> {
        let mut results = Vec::new();
        while let Some((number, _)) = read_header(reader)? {
            results.push(match Op::from_number(number) {
                None if number == NONE => {
                    Self::Refused(read_error(reader)?.ok_or(unknown_result(number))?)
                }
                Some(Op::GetData) => Self::Data(read_data(reader)?, Stat::read(reader)?),
                Some(Op::GetChildren) => Self::Children(read_names(reader)?),
                _ => return Err(unknown_result(number)),
            });
        }
        Ok(results)
    }
}

fn unknown_result(number: i32) -> Malformed {
    Malformed::Unknown {
        what: "a result of kind",
        number,
    }
}
