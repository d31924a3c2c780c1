//! As much of HTTP/1.1 as the stand-in, the AWS SDK and the Lambda runtime speak with each other.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;

/// Longest body taken, in bytes: a Lambda payload and its escapes fit several times.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    /// `POST /path HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The value of a header, the name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The word at a place of the start line: method and path of a request, status of an answer.
    pub(crate) fn word(&self, place: usize) -> &str {
        self.start.split_whitespace().nth(place).unwrap_or_default()
    }

    /// The status of an answer, 0 when it has none.
    pub(crate) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    /// An answer with a JSON body.
    pub(crate) fn answer(status: u16, body: &[u8]) -> Message {
        Message {
            start: format!("HTTP/1.1 {status} Answer"),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.to_vec(),
        }
    }

    /// Writes the message with its length instead of whatever framing it came with.
    pub(crate) fn write(&self, stream: &mut TcpStream) -> Result<()> {
        let mut head = format!("{}\r\n", self.start);
        for (key, value) in &self.headers {
            let framing = ["content-length", "transfer-encoding", "connection", "expect"];
            if !framing.contains(&key.to_ascii_lowercase().as_str()) {
                head.push_str(&format!("{key}: {value}\r\n"));
            }
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        stream.write_all(&bytes)?;
        stream.flush()
    }
}

/// Reads the next request; `None` when the peer has closed the connection.
pub(crate) fn read_request(reader: &mut BufReader<TcpStream>) -> Result<Option<Message>> {
    let Some(mut message) = read_head(reader)? else { return Ok(None) };
    if message.header("expect").is_some() {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    message.body = read_body(reader, &message, false)?;
    Ok(Some(message))
}

/// Sends a request over a connection of its own and reads the answer.
pub(crate) fn exchange(address: &str, request: &Message) -> Result<Message> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut request = request.clone();
    request.write(&mut stream)?;
    let mut reader = BufReader::new(stream);
    let closed = || Error::new(ErrorKind::UnexpectedEof, "no answer");
    loop {
        let mut answer = read_head(&mut reader)?.ok_or_else(closed)?;
        if answer.status() == 100 {
            continue;
        }
        let bodiless = request.word(0) == "HEAD" || matches!(answer.status(), 204 | 304);
        answer.body = if bodiless { Vec::new() } else { read_body(&mut reader, &answer, true)? };
        request.body.clear();
        return Ok(answer);
    }
}

fn read_head(reader: &mut impl BufRead) -> Result<Option<Message>> {
    let mut start = String::new();
    if reader.read_line(&mut start)? == 0 {
        return Ok(None);
    }
    let mut message = Message { start: start.trim_end().to_owned(), ..Message::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((key, value)) => message.headers.push((key.trim().to_owned(), value.trim().to_owned())),
            None => return Ok(Some(message)),
        }
    }
}

fn read_body(reader: &mut impl BufRead, message: &Message, to_the_end: bool) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if message.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = line.trim().split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            reader.by_ref().take(size.min(MAX_BODY)).read_to_end(&mut body)?;
            let mut end = String::new();
            reader.read_line(&mut end)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match message.header("content-length").map(str::parse::<u64>) {
        Some(Ok(length)) => reader.take(length.min(MAX_BODY)).read_to_end(&mut body)?,
        _ if to_the_end => reader.take(MAX_BODY).read_to_end(&mut body)?,
        _ => 0,
    };
    Ok(body)
}
