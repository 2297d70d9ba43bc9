//! The grammar of the protocol: chapter 6 of the Java Object Serialization Specification.

use super::bytes::Bytes;
use super::error::{JavaError, JavaErrorKind};
use super::graph::{Class, Content, Field, Graph, Part, Thing, Value};

/// Longest stream. Neither ZooKeeper nor Kubernetes stores a longer value in its usual setup.
const LONGEST: usize = 1024 * 1024;

/// Deepest nesting. Flink's handles are about five levels deep; each level uses some of our stack.
const DEEPEST: usize = 64;

/// Most objects, strings and classes. Flink's handles have about fifteen. Each takes memory that
/// does not depend on its size in the stream.
const MOST: usize = 10_000;

/// Longest line of superclasses. Each object has a part for each of them.
const MOST_SUPERCLASSES: usize = 32;

const MAGIC: u16 = 0xaced;
const VERSION: u16 = 5;

/// The bytes that each stream begins with.
pub(crate) const HEADER: [u8; 4] = [0xac, 0xed, 0, 5];

/// The number of the first thing of a stream. The next one has the next number.
pub(crate) const FIRST_HANDLE: u32 = 0x007e_0000;

const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS_DESC: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const CLASS: u8 = 0x76;
const BLOCK: u8 = 0x77;
const END_BLOCK: u8 = 0x78;
const RESET: u8 = 0x79;
const LONG_BLOCK: u8 = 0x7a;
const EXCEPTION: u8 = 0x7b;
const LONG_STRING: u8 = 0x7c;
const PROXY_CLASS_DESC: u8 = 0x7d;
const ENUM: u8 = 0x7e;

const WRITE_METHOD: u8 = 0x01;
const SERIALIZABLE: u8 = 0x02;
const EXTERNALIZABLE: u8 = 0x04;
const BLOCK_DATA: u8 = 0x08;

/// Reads a whole stream.
pub(crate) fn read(bytes: &[u8]) -> Result<Graph, JavaError> {
    let mut reader = Reader {
        bytes: Bytes::new(bytes),
        things: Vec::new(),
        handles: Vec::new(),
        references: Vec::new(),
        resets: false,
    };
    if bytes.len() > LONGEST {
        return Err(reader.error(JavaErrorKind::TooLong(LONGEST)));
    }
    if (reader.bytes.u16()?, reader.bytes.u16()?) != (MAGIC, VERSION) {
        return Err(JavaError {
            at: 0,
            kind: JavaErrorKind::NoStream,
        });
    }
    let mut contents = Vec::new();
    while !reader.bytes.is_empty() {
        if reader.bytes.peek() == Some(RESET) {
            reader.bytes.u8()?;
            reader.handles.clear();
            reader.resets = true;
        } else {
            contents.push(reader.content(0)?);
        }
    }
    Ok(Graph {
        contents,
        things: reader.things,
        references: reader.references,
        resets: reader.resets,
    })
}

struct Reader<'a> {
    bytes: Bytes<'a>,
    things: Vec<Thing>,
    /// What the stream's handle numbers refer to: indexes into `things`.
    handles: Vec<usize>,
    references: Vec<usize>,
    resets: bool,
}

impl Reader<'_> {
    fn error(&self, kind: JavaErrorKind) -> JavaError {
        self.bytes.error(kind)
    }

    /// Numbers the next thing before it is read, since it may refer to itself.
    fn begin(&mut self) -> Result<usize, JavaError> {
        if self.things.len() >= MOST {
            return Err(self.error(JavaErrorKind::TooMany(MOST)));
        }
        self.things.push(Thing::Begun);
        self.handles.push(self.things.len() - 1);
        Ok(self.things.len() - 1)
    }

    fn whole(&mut self, thing: Thing) -> Result<usize, JavaError> {
        let at = self.begin()?;
        self.things[at] = thing;
        Ok(at)
    }

    fn content(&mut self, depth: usize) -> Result<Content, JavaError> {
        let block = match self.bytes.peek() {
            Some(BLOCK) => {
                self.bytes.u8()?;
                let length = self.bytes.u8()?;
                self.bytes.take(length.into())?
            }
            Some(LONG_BLOCK) => {
                self.bytes.u8()?;
                let length = self.bytes.length(1)?;
                self.bytes.take(length)?
            }
            _ => return self.value(depth).map(Content::Value),
        };
        Ok(Content::Block(block.to_vec()))
    }

    /// Skips what an object's own `writeObject` wrote, up to its end.
    fn annotation(&mut self, depth: usize) -> Result<(), JavaError> {
        while self.bytes.peek() != Some(END_BLOCK) {
            self.content(depth)?;
        }
        self.bytes.u8().map(drop)
    }

    fn value(&mut self, depth: usize) -> Result<Value, JavaError> {
        if depth >= DEEPEST {
            return Err(self.error(JavaErrorKind::TooDeep(DEEPEST)));
        }
        let depth = depth + 1;
        let at = match self.bytes.peek() {
            Some(CLASS_DESC | PROXY_CLASS_DESC) => match self.class_desc(depth)? {
                Some(at) => at,
                None => return Ok(Value::Null),
            },
            None => return Err(self.error(JavaErrorKind::Truncated)),
            Some(mark) => {
                self.bytes.u8()?;
                match mark {
                    NULL => return Ok(Value::Null),
                    REFERENCE => self.reference()?,
                    OBJECT => self.object(depth)?,
                    STRING => {
                        let text = self.bytes.utf()?;
                        self.whole(Thing::Text(text.into()))?
                    }
                    LONG_STRING => {
                        let text = self.bytes.long_utf()?;
                        self.whole(Thing::Text(text.into()))?
                    }
                    ARRAY => self.array(depth)?,
                    CLASS => {
                        self.class_desc(depth)?;
                        self.whole(Thing::Other)?
                    }
                    ENUM => {
                        self.class_desc(depth)?;
                        let at = self.whole(Thing::Other)?;
                        self.value(depth)?;
                        at
                    }
                    EXCEPTION => return Err(self.error(JavaErrorKind::Exception)),
                    mark => return Err(self.error(JavaErrorKind::Mark(mark))),
                }
            }
        };
        Ok(Value::Thing(at))
    }

    fn reference(&mut self) -> Result<usize, JavaError> {
        self.references.push(self.bytes.at());
        let number = self.bytes.u32()?;
        let at = number
            .checked_sub(FIRST_HANDLE)
            .and_then(|number| self.handles.get(usize::try_from(number).ok()?));
        at.copied()
            .ok_or_else(|| self.error(JavaErrorKind::Reference(number)))
    }

    /// The class of what follows; `None` if it is null.
    fn class_desc(&mut self, depth: usize) -> Result<Option<usize>, JavaError> {
        if depth >= DEEPEST {
            return Err(self.error(JavaErrorKind::TooDeep(DEEPEST)));
        }
        let depth = depth + 1;
        let (name, flags, fields, at);
        match self.bytes.u8()? {
            NULL => return Ok(None),
            REFERENCE => {
                let at = self.reference()?;
                return match self.things[at] {
                    Thing::Class(_) => Ok(Some(at)),
                    _ => Err(self.error(JavaErrorKind::Reference(FIRST_HANDLE))),
                };
            }
            CLASS_DESC => {
                name = self.bytes.utf()?;
                self.bytes.i64()?;
                at = self.begin()?;
                flags = self.bytes.u8()?;
                fields = self.fields(depth)?;
            }
            PROXY_CLASS_DESC => {
                at = self.begin()?;
                // Each name has a length of two bytes.
                for _ in 0..self.bytes.length(2)? {
                    self.bytes.utf()?;
                }
                (name, flags, fields) = ("proxy".into(), SERIALIZABLE, Vec::new());
            }
            mark => return Err(self.error(JavaErrorKind::Mark(mark))),
        }
        self.annotation(depth)?;
        let superclass = self.class_desc(depth)?;
        self.things[at] = Thing::Class(Class {
            name: name.into(),
            flags,
            fields: fields.into(),
            superclass,
        });
        Ok(Some(at))
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, JavaError> {
        let count = self.bytes.u16()?;
        let mut fields = Vec::new();
        for _ in 0..count {
            let kind = self.bytes.u8()?;
            if !b"BCDFIJSZL[".contains(&kind) {
                return Err(self.error(JavaErrorKind::Type(kind)));
            }
            let name = self.bytes.utf()?;
            if matches!(kind, b'L' | b'[') {
                // The name of its type, as a string of the stream.
                self.value(depth)?;
            }
            fields.push(Field { name, kind });
        }
        Ok(fields)
    }

    fn object(&mut self, depth: usize) -> Result<usize, JavaError> {
        let Some(class) = self.class_desc(depth)? else {
            return Err(self.error(JavaErrorKind::Mark(NULL)));
        };
        let at = self.begin()?;
        let mut parts = Vec::new();
        // The fields of the topmost superclass come first.
        for (place, class) in self.line(class)?.into_iter().rev() {
            let mut values = Vec::new();
            if class.flags & SERIALIZABLE != 0 {
                for field in class.fields.iter() {
                    values.push(self.of_kind(field.kind, depth)?);
                }
                if class.flags & WRITE_METHOD != 0 {
                    self.annotation(depth)?;
                }
            } else if class.flags & EXTERNALIZABLE != 0 {
                if class.flags & BLOCK_DATA == 0 {
                    return Err(self.error(JavaErrorKind::Opaque(class.name.to_string())));
                }
                self.annotation(depth)?;
            }
            if !values.is_empty() {
                parts.push(Part {
                    class: place,
                    values,
                });
            }
        }
        self.things[at] = Thing::Object { class, parts };
        Ok(at)
    }

    /// A class and its superclasses.
    fn line(&self, class: usize) -> Result<Vec<(usize, Class)>, JavaError> {
        let mut line = Vec::new();
        let mut next = Some(class);
        while let Some(at) = next {
            // A forged stream may name a class as its own superclass.
            if line.len() >= MOST_SUPERCLASSES {
                return Err(self.error(JavaErrorKind::TooDeep(MOST_SUPERCLASSES)));
            }
            let Thing::Class(class) = &self.things[at] else {
                return Err(self.error(JavaErrorKind::Reference(FIRST_HANDLE)));
            };
            line.push((at, class.clone()));
            next = class.superclass;
        }
        Ok(line)
    }

    fn of_kind(&mut self, kind: u8, depth: usize) -> Result<Value, JavaError> {
        Ok(match kind {
            b'Z' => Value::Boolean(self.bytes.u8()? != 0),
            b'J' => Value::Long(self.bytes.i64()?),
            b'L' | b'[' => self.value(depth)?,
            kind => {
                self.bytes.take(width(kind))?;
                Value::Other
            }
        })
    }

    fn array(&mut self, depth: usize) -> Result<usize, JavaError> {
        let class = self.class_desc(depth)?;
        let at = self.begin()?;
        let kind = class.and_then(|class| match &self.things[class] {
            Thing::Class(class) => class.name.as_bytes().get(1).copied(),
            _ => None,
        });
        let Some(kind) = kind else {
            return Err(self.error(JavaErrorKind::Type(0)));
        };
        let length = self.bytes.length(width(kind))?;
        let bytes = match kind {
            b'L' | b'[' => {
                for _ in 0..length {
                    self.value(depth)?;
                }
                Vec::new()
            }
            b'B' => self.bytes.take(length)?.to_vec(),
            kind if b"CDFIJSZ".contains(&kind) => {
                self.bytes.take(length * width(kind))?;
                Vec::new()
            }
            kind => return Err(self.error(JavaErrorKind::Type(kind))),
        };
        self.things[at] = Thing::Array(bytes);
        Ok(at)
    }
}

/// The least number of bytes that a value of this type takes.
fn width(kind: u8) -> usize {
    match kind {
        b'D' | b'J' => 8,
        b'F' | b'I' => 4,
        b'C' | b'S' => 2,
        _ => 1,
    }
}
