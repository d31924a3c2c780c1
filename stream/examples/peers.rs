//! What a scan is measured against, on the same files, one thread each: reading and inflating alone, a typed parse of
//! every event, and a byte search that parses what it finds and proves nothing.
//!
//! Prints bytes and events as JSON; `bench/run.py` runs it beside the detector.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use detection::{EventKind, Gunzip, names_of};
use flate2::bufread::MultiGzDecoder;
use flate2::{Crc, Decompress, FlushDecompress};
use memchr::memmem::Finder;
use memchr::memrchr;
use serde::Deserialize;
use serde_json::value::RawValue;

const USAGE: &str = "peers plain|inflate|libdeflate|serde|find PATH...";

/// Bytes of a plain file read at a time.
const PIECE: usize = 256 * 1024;

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

/// What is done with each file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Inflate as most programs do: a new reader for each file.
    Plain,
    /// Inflate with the fastest inflater written in Rust that we found (zlib-rs), its state used again.
    Inflate,
    /// Inflate with libdeflate, which is C.
    Libdeflate,
    /// Inflate, then a typed parse of every event.
    Serde,
    /// Inflate, then search the text for the names that rules ask for, and parse what is found.
    Find,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = match arguments.next().context(USAGE)?.as_str() {
        "plain" => Mode::Plain,
        "inflate" => Mode::Inflate,
        "libdeflate" => Mode::Libdeflate,
        "serde" => Mode::Serde,
        "find" => Mode::Find,
        other => bail!("unknown mode {other}; {USAGE}"),
    };
    let mut files = Vec::new();
    for path in arguments {
        collect(Path::new(&path), &mut files)?;
    }
    let mut peer = Peer::new(mode);
    for path in files {
        peer.file(&path).with_context(|| path.display().to_string())?;
    }
    let told = serde_json::json!({"bytes": peer.bytes, "events": peer.events, "weight": peer.weight});
    writeln!(std::io::stdout(), "{told}")?;
    Ok(())
}

struct Peer {
    mode: Mode,
    inflater: Decompress,
    gunzip: Gunzip,
    packed: Vec<u8>,
    text: Vec<u8>,
    wanted: HashSet<Vec<u8>>,
    bytes: usize,
    events: usize,
    weight: usize,
}

impl Peer {
    fn new(mode: Mode) -> Peer {
        let wanted = EventKind::ALL.into_iter().flat_map(names_of).map(|(_, name)| name.as_bytes().to_vec()).collect();
        Peer {
            mode,
            inflater: Decompress::new(false),
            gunzip: Gunzip::default(),
            packed: Vec::new(),
            text: Vec::new(),
            wanted,
            bytes: 0,
            events: 0,
            weight: 0,
        }
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        self.packed.clear();
        let mut file = fs::File::open(path)?;
        let is_packed = path.extension().is_some_and(|ending| ending == "gz");
        if !is_packed && matches!(self.mode, Mode::Plain | Mode::Inflate | Mode::Libdeflate) {
            self.text.resize(PIECE, 0);
            loop {
                let read = file.read(&mut self.text)?;
                self.bytes += read;
                if read == 0 {
                    return Ok(());
                }
            }
        }
        file.read_to_end(&mut self.packed)?;
        if !is_packed {
            std::mem::swap(&mut self.packed, &mut self.text);
        } else {
            self.inflate()?;
        }
        self.bytes += self.text.len();
        match self.mode {
            Mode::Serde => self.serde(),
            Mode::Find => self.find(),
            Mode::Plain | Mode::Inflate | Mode::Libdeflate => Ok(()),
        }
    }

    fn inflate(&mut self) -> Result<()> {
        match self.mode {
            Mode::Plain => {
                self.text.clear();
                MultiGzDecoder::new(self.packed.as_slice()).read_to_end(&mut self.text)?;
            }
            Mode::Libdeflate => {
                match self.gunzip.text(&self.packed, usize::MAX) {
                    Some(text) => self.bytes += text.len(),
                    // By chance a file holds what another member would start with; the stream reader tells.
                    None => self.bytes += MultiGzDecoder::new(self.packed.as_slice()).read_to_end(&mut Vec::new())?,
                }
            }
            Mode::Inflate | Mode::Serde | Mode::Find => {
                // The last bytes say how long the text is; the files here have one member and a header of ten bytes.
                let (body, end) = self.packed.split_last_chunk::<8>().context("too short")?;
                let [sum @ .., a, b, c, d] = *end;
                self.text.resize(usize::try_from(u32::from_le_bytes([a, b, c, d]))?, 0);
                self.inflater.reset(false);
                let body = body.get(10..).context("too short")?;
                self.inflater.decompress(body, &mut self.text, FlushDecompress::Finish)?;
                let mut found = Crc::new();
                found.update(&self.text);
                ensure!(found.sum().to_le_bytes() == sum, "the checksum differs");
            }
        }
        Ok(())
    }

    fn serde(&mut self) -> Result<()> {
        let (events, weight) = parse(&self.text)?;
        self.events += events;
        self.weight += weight;
        Ok(())
    }

    /// Goes from one event name to the next; only an event that a rule may want is cut out and parsed.
    fn find(&mut self) -> Result<()> {
        let key = Finder::new(br#""eventName":""#);
        for at in key.find_iter(&self.text) {
            self.events += 1;
            let name = self.text.get(at + key.needle().len()..).unwrap_or_default();
            let name = name.split(|byte| *byte == b'"').next().unwrap_or_default();
            if !self.wanted.contains(name) {
                continue;
            }
            let before = self.text.get(..at).unwrap_or_default();
            let start = memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            let from = self.text.get(start..).unwrap_or_default();
            let line = from.split(|byte| *byte == b'\n').next().unwrap_or_default();
            self.weight += serde_json::from_slice::<Event<'_>>(line).map_or(0, |event| event.weight());
        }
        Ok(())
    }
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
