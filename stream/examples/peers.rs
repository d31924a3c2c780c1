//! What a scan is measured against: reading and inflating the same files, and a typed serde parse of every event.
//!
//! `peers inflate|serde PATH...` prints bytes and events as JSON; `bench/run.py` runs it beside the detector.

use std::borrow::Cow;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<Event<'a>>,
}

/// The fields a detector looks at; the rest is skipped without being built.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    event_name: Cow<'a, str>,
    #[serde(borrow)]
    event_source: Cow<'a, str>,
    #[serde(borrow, rename = "eventID")]
    event_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_identity: Option<Identity<'a>>,
    #[serde(borrow)]
    request_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow)]
    arn: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

impl Event<'_> {
    /// Touches every field, so that none is optimised away.
    fn weight(&self) -> usize {
        let text = |field: &Option<Cow<'_, str>>| field.as_ref().map_or(0, |text| text.len());
        let identity = self.user_identity.as_ref().map_or(0, |who| text(&who.arn) + text(&who.kind));
        let request = self.request_parameters.map_or(0, |raw| raw.get().len());
        let named = self.event_name.len() + self.event_source.len() + text(&self.event_id) + text(&self.event_time);
        named + identity + request + text(&self.error_code)
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().context("peers inflate|serde PATH...")?;
    let mut files = Vec::new();
    for path in arguments {
        collect(Path::new(&path), &mut files)?;
    }
    let (mut bytes, mut events, mut weight) = (0, 0, 0);
    let (mut packed, mut text) = (Vec::new(), Vec::new());
    for path in files {
        packed.clear();
        text.clear();
        fs::File::open(&path)?.read_to_end(&mut packed)?;
        let plain = if packed.starts_with(&[0x1f, 0x8b]) {
            MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut text)?;
            &text
        } else {
            &packed
        };
        bytes += plain.len();
        match mode.as_str() {
            "inflate" => {}
            "serde" => {
                let (more, heavier) = parse(plain).with_context(|| path.display().to_string())?;
                events += more;
                weight += heavier;
            }
            other => bail!("unknown mode {other}"),
        }
    }
    writeln!(std::io::stdout(), "{}", serde_json::json!({"bytes": bytes, "events": events, "weight": weight}))?;
    Ok(())
}

fn parse(text: &[u8]) -> Result<(usize, usize)> {
    if text.starts_with(b"{\"Records\"") {
        let file: File<'_> = serde_json::from_slice(text)?;
        return Ok((file.records.len(), file.records.iter().map(Event::weight).sum()));
    }
    let (mut events, mut weight) = (0, 0);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        events += 1;
        weight += serde_json::from_slice::<Event<'_>>(line)?.weight();
    }
    Ok((events, weight))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    entries.sort();
    for entry in entries {
        let name = entry.to_string_lossy();
        if entry.is_dir() || name.ends_with(".json.gz") || (name.contains("part-") && name.ends_with(".jsonl")) {
            collect(&entry, files)?;
        }
    }
    Ok(())
}
