//! `incumbent records ls`.

use futures::{StreamExt, stream};
use incumbent::Group;
use serde_json::json;
use serde_json::value::RawValue;

use crate::exit::Failure;
use crate::settings::Output;
use crate::show;

/// Records that are read at a time.
const AT_A_TIME: usize = 16;

/// Most characters of a record's data in a table.
const LONGEST_SHOWN: usize = 60;

pub(super) async fn list(group: &Group, prefix: &str, output: Output) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let names = group.records().await?;
    let names = names
        .iter()
        .filter(|name| name.as_str().starts_with(prefix));
    let read = stream::iter(names)
        .map(async |name| Ok::<_, Failure>((name, group.read::<Box<RawValue>>(name).await?)));
    let mut read = std::pin::pin!(read.buffered(AT_A_TIME));
    while let Some((name, found)) = read.next().await.transpose()? {
        let Some(found) = found else {
            continue;
        };
        let (epoch, data) = (found.stamp.epoch(), found.data);
        if output.is_json() {
            show::json_line(&json!({
                "name": name, "epoch": epoch, "bytes": data.get().len(),
                "stamp": found.stamp.to_string(),
            }))?;
        } else {
            let short: String = data.get().chars().take(LONGEST_SHOWN).collect();
            let more = if short.len() < data.get().len() {
                "…"
            } else {
                ""
            };
            rows.push(vec![
                name.to_string(),
                epoch.to_string(),
                data.get().len().to_string(),
                format!("{short}{more}"),
            ]);
        }
    }
    if !output.is_json() {
        show::line(show::table(&["RECORD", "EPOCH", "BYTES", "DATA"], rows))?;
    }
    Ok(())
}
