//! [`Encode`]: how records are written.

use serde::Serialize;

use crate::Error;

/// Makes the bytes of one file after the other.
pub(crate) trait Encode<T>: Send {
    /// Puts the bytes of these records behind the others, or some of them.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`]. What was put there is worth nothing.
    fn encode(&mut self, records: &[T], into: &mut Vec<u8>) -> Result<(), Error>;

    /// Puts what is still missing of the file. The next record begins another.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`].
    fn finish(&mut self, into: &mut Vec<u8>) -> Result<(), Error>;
}

pub(crate) struct Ndjson;

impl<T: Serialize> Encode<T> for Ndjson {
    fn encode(&mut self, records: &[T], into: &mut Vec<u8>) -> Result<(), Error> {
        for record in records {
            serde_json::to_writer(&mut *into, record).map_err(|error| Error::Encode {
                format: "JSON",
                cause: error.into(),
            })?;
            into.push(b'\n');
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}

pub(crate) struct Csv {
    delimiter: u8,
    has_header: bool,
}

impl Csv {
    pub(crate) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            has_header: false,
        }
    }
}

impl<T: Serialize> Encode<T> for Csv {
    fn encode(&mut self, records: &[T], into: &mut Vec<u8>) -> Result<(), Error> {
        let failed = |error: csv::Error| Error::Encode {
            format: "CSV",
            cause: error.into(),
        };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(!self.has_header)
            .from_writer(into);
        for record in records {
            writer.serialize(record).map_err(failed)?;
            self.has_header = true;
        }
        writer.flush().map_err(|error| failed(error.into()))
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<(), Error> {
        self.has_header = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        name: String,
        count: u32,
    }

    #[test]
    fn each_file_of_csv_has_the_names_of_its_fields_once() {
        let rows = |name: &str| {
            [1, 2].map(|count| Row {
                name: name.to_owned(),
                count,
            })
        };
        let mut csv = Csv::new(b',');
        let mut bytes = Vec::new();
        csv.encode(&rows("a,b"), &mut bytes).unwrap();
        csv.encode(&rows("c"), &mut bytes).unwrap();
        Encode::<Row>::finish(&mut csv, &mut bytes).unwrap();
        let expected = "name,count\n\"a,b\",1\n\"a,b\",2\nc,1\nc,2\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);

        let mut bytes = Vec::new();
        csv.encode(&rows("d"), &mut bytes).unwrap();
        assert!(bytes.starts_with(b"name,count\n"));
    }
}
