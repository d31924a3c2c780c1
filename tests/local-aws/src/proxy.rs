//! Faults on plan, between a program and the stand-in.

use std::fmt;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::function::lock;
use crate::http::{Message, exchange, read_request};
use crate::server::{LocalAws, environment};

/// One call of a program to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Service as in the signature: `s3`, `events`, `kinesis`, `sqs`, `sns`, `iam`, `sts`, `monitoring`.
    pub service: String,
    /// Operation: `PutEvents`, `AssumeRole`; of S3 the method, such as `PUT`.
    pub operation: String,
    /// The access key that signed it.
    pub key: String,
    /// Path and query; of S3 the bucket and key.
    pub path: String,
    /// Body as sent.
    pub body: Vec<u8>,
}

/// What happens to a call instead of its being passed on.
#[derive(Clone)]
pub enum Fault {
    /// An answer with this status and body, in place of the service's.
    Status(u16, String),
    /// No answer for so long; then the connection is closed.
    Silence(Duration),
    /// The call is carried out, but its answer is lost.
    AnswerLost,
    /// The entries at these places fail with this error code, the others are carried out. For `PutEvents`,
    /// `PutRecords` and `SendMessageBatch`.
    Entries(Vec<usize>, String),
    /// The call is carried out, and the members of its answer come so many at a time, with a marker for the next, as IAM
    /// does. For lists in XML.
    Pages(usize),
    /// Runs this, then closes the connection without passing the call on.
    Before(Arc<dyn Fn() + Send + Sync>),
    /// Passes the call on, then runs this and closes the connection.
    After(Arc<dyn Fn() + Send + Sync>),
}

impl fmt::Debug for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Fault::Status(..) => "Status",
            Fault::Silence(_) => "Silence",
            Fault::AnswerLost => "AnswerLost",
            Fault::Entries(..) => "Entries",
            Fault::Pages(_) => "Pages",
            Fault::Before(_) => "Before",
            Fault::After(_) => "After",
        })
    }
}

type When = Box<dyn Fn(&Call) -> bool + Send>;

struct Planned {
    when: When,
    skip: usize,
    times: usize,
    fault: Fault,
}

#[derive(Default)]
struct Plan {
    faults: Vec<Planned>,
    calls: Vec<Call>,
}

/// Passes calls on to the stand-in, notes them, and fails those that the plan names.
pub struct Proxy {
    address: String,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    /// Starts in front of a stand-in. The threads end with the test's process.
    pub fn start(upstream: &LocalAws) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the proxy");
        let address = listener.local_addr().expect("its address").to_string();
        let plan = Arc::<Mutex<Plan>>::default();
        let (shared, upstream) = (plan.clone(), upstream.address().to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (plan, upstream) = (shared.clone(), upstream.clone());
                std::thread::spawn(move || serve(stream, &upstream, &plan));
            }
        });
        Proxy { address, plan }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The variables that lead AWS clients through here.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(&self.url())
    }

    /// The next `times` calls that `when` accepts get the fault. Faults are tried in the order they were planned.
    pub fn fail(&self, times: usize, fault: Fault, when: impl Fn(&Call) -> bool + Send + 'static) {
        self.fail_after(0, times, fault, when);
    }

    /// As [`Proxy::fail`], after letting the first `skip` matching calls pass.
    pub fn fail_after(&self, skip: usize, times: usize, fault: Fault, when: impl Fn(&Call) -> bool + Send + 'static) {
        lock(&self.plan).faults.push(Planned { when: Box::new(when), skip, times, fault });
    }

    /// Forgets the rest of the plan.
    pub fn heal(&self) {
        lock(&self.plan).faults.clear();
    }

    /// Every call so far, in order of arrival, failed ones included.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.plan).calls.clone()
    }

    /// The calls of one operation so far.
    pub fn calls_of(&self, service: &str, operation: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.service == service && call.operation == operation);
        calls
    }
}

fn serve(stream: TcpStream, upstream: &str, plan: &Mutex<Plan>) {
    let _ = stream.set_nodelay(true);
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut reader) {
        let fault = {
            let mut plan = lock(plan);
            let call = describe(&request);
            let fault = plan.next_fault(&call);
            plan.calls.push(call);
            fault
        };
        let Some(answer) = pass(&request, upstream, fault) else { return };
        let is_head = request.word(0) == "HEAD";
        if write_answer(answer, is_head, &mut writer).is_err() {
            return;
        }
    }
}

/// The answer of HEAD has the length of a body that it does not have: closing the connection says so simply.
fn write_answer(mut answer: Message, is_head: bool, writer: &mut TcpStream) -> std::io::Result<()> {
    if is_head {
        answer.body.clear();
    }
    answer.write(writer)
}

impl Plan {
    fn next_fault(&mut self, call: &Call) -> Option<Fault> {
        for planned in &mut self.faults {
            if planned.times == 0 || !(planned.when)(call) {
                continue;
            }
            if planned.skip > 0 {
                planned.skip -= 1;
                continue;
            }
            planned.times -= 1;
            return Some(planned.fault.clone());
        }
        None
    }
}

fn describe(request: &Message) -> Call {
    let scope = request.header("authorization").unwrap_or_default().to_owned();
    let service = scope.split('/').nth(3).unwrap_or_default().to_owned();
    let key =
        scope.split('/').next().and_then(|start| start.split("Credential=").nth(1)).unwrap_or_default().to_owned();
    let target = request.header("x-amz-target").and_then(|target| target.split('.').nth(1));
    let body = String::from_utf8_lossy(&request.body);
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let cbor = request.word(1).split("/operation/").nth(1);
    let operation = target.or(action).or(cbor).unwrap_or(request.word(0)).to_owned();
    Call { service, operation, key, path: request.word(1).to_owned(), body: request.body.clone() }
}

/// The answer to give, or `None` to close the connection.
fn pass(request: &Message, upstream: &str, fault: Option<Fault>) -> Option<Message> {
    let forward = |request: &Message| exchange(upstream, request).ok();
    match fault {
        None => forward(request),
        Some(Fault::Status(status, body)) => Some(Message::answer(status, body.as_bytes())),
        Some(Fault::Silence(time)) => {
            std::thread::sleep(time);
            None
        }
        Some(Fault::AnswerLost) => {
            forward(request);
            None
        }
        Some(Fault::Before(run)) => {
            run();
            None
        }
        Some(Fault::After(run)) => {
            forward(request);
            run();
            None
        }
        Some(Fault::Pages(size)) => page(request, size, forward),
        Some(Fault::Entries(places, code)) => fail_entries(request, &places, &code, forward),
    }
}

/// Passes on all entries but some, and puts the failures into the answer where AWS would.
fn fail_entries(
    request: &Message,
    places: &[usize],
    code: &str,
    forward: impl Fn(&Message) -> Option<Message>,
) -> Option<Message> {
    let mut body: Value = serde_json::from_slice(&request.body).ok()?;
    let list = if body.get("Records").is_some() { "Records" } else { "Entries" };
    let all = body[list].as_array()?.clone();
    let is_failed = |place: &usize| places.contains(place);
    let (failed, passed): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(is_failed);
    body[list] = passed.iter().map(|place| all[*place].clone()).collect();
    let mut answer = Message::answer(200, b"{}");
    if !passed.is_empty() {
        let mut rest = request.clone();
        rest.body = body.to_string().into_bytes();
        answer = forward(&rest)?;
    }
    let mut result: Value = serde_json::from_slice(&answer.body).ok()?;
    let failure = |place: usize| match all[place].get("Id") {
        Some(id) => json!({"Id": id, "Code": code, "Message": "on plan", "SenderFault": false}),
        None => json!({"ErrorCode": code, "ErrorMessage": "on plan"}),
    };
    if all.iter().any(|entry| entry.get("Id").is_some()) {
        result["Failed"] = failed.iter().map(|place| failure(*place)).collect();
    } else {
        let mut done = result[list].as_array().cloned().unwrap_or_default().into_iter();
        let merged = (0..all.len()).map(|place| if is_failed(&place) { Some(failure(place)) } else { done.next() });
        let count = if list == "Records" { "FailedRecordCount" } else { "FailedEntryCount" };
        result[list] = merged.map(Option::unwrap_or_default).collect();
        result[count] = json!(failed.len());
    }
    answer.body = result.to_string().into_bytes();
    Some(answer)
}

/// Passes a list call on without its marker and cuts the page that the marker asks for out of the whole answer.
fn page(request: &Message, size: usize, forward: impl Fn(&Message) -> Option<Message>) -> Option<Message> {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let marker = text.split('&').find_map(|pair| pair.strip_prefix("Marker="));
    let first: usize = marker.map_or(Some(0), |marker| marker.parse().ok())?;
    let mut whole = request.clone();
    let pairs: Vec<&str> = text.split('&').filter(|pair| !pair.starts_with("Marker=")).collect();
    whole.body = pairs.join("&").into_bytes();
    let mut answer = forward(&whole)?;
    let xml = String::from_utf8_lossy(&answer.body).into_owned();
    let (kept, count) = members(&xml, first..first + size);
    let next = first + size;
    let more = format!("<IsTruncated>true</IsTruncated><Marker>{next}</Marker>");
    let xml = if next < count { kept.replace("<IsTruncated>false</IsTruncated>", &more) } else { kept };
    answer.body = xml.into_bytes();
    Some(answer)
}

/// The text with only those members of its lists whose number is in the range, and how many there were. A member inside a
/// member goes with it.
fn members(xml: &str, range: std::ops::Range<usize>) -> (String, usize) {
    let (mut kept, mut count, mut depth, mut rest) = (String::new(), 0, 0_usize, xml);
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        let (tag, after) = tag.split_at(tag.find('>').map_or(tag.len(), |end| end + 1));
        let opens = tag == "<member>";
        let is_kept = |depth: usize| depth == 0 || range.contains(&count);
        if is_kept(depth) {
            kept.push_str(before);
        }
        depth += usize::from(opens);
        if is_kept(depth) {
            kept.push_str(tag);
        }
        if tag == "</member>" {
            depth = depth.saturating_sub(1);
            count += usize::from(depth == 0);
        }
        rest = after;
    }
    kept.push_str(rest);
    (kept, count)
}
