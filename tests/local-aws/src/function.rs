//! A real program run as Lambda runs it: the Lambda Runtime API, one invocation at a time, a deadline, a fresh process
//! after a crash.

use std::collections::{HashMap, VecDeque};
use std::io::{BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::http::{Message, read_request};

/// Deadline of [`Function::invoke`]; generous, because builds may share the machine.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often a waiting caller looks whether the process still lives.
const LOOK: Duration = Duration::from_millis(5);
/// A pipe that brings nothing for so long is empty.
const SETTLE: Duration = Duration::from_millis(40);
const ARN: &str = "arn:aws:lambda:us-east-1:111111111111:function:under-test";

/// Why an invocation has no result.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionError {
    /// The program answered with an error.
    Handler(Value),
    /// The process ended before it answered; with what it had written so far.
    Exited(String),
    /// The deadline passed; the process was killed.
    TimedOut,
}

/// A program behind the Lambda Runtime API. The process starts at the first invocation and stops when dropped.
#[derive(Debug)]
pub struct Function {
    program: String,
    environment: Vec<(String, String)>,
    process: Mutex<Option<Process>>,
    killer: Killer,
    log: Arc<Mutex<String>>,
}

/// Kills the process of a function, from wherever it is called: the way crash tests are made.
#[derive(Debug, Clone, Default)]
pub struct Killer(Arc<Mutex<Option<Child>>>);

#[derive(Debug)]
struct Process {
    api: Arc<Api>,
    to_first_poll: Option<Duration>,
    begun: Instant,
}

impl Killer {
    /// Sends SIGKILL, if a process is running.
    pub fn kill(&self) {
        if let Some(child) = lock(&self.0).as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        lock(&self.0).as_mut().and_then(|child| child.try_wait().ok().flatten())
    }
}

impl Function {
    /// Prepares a program, such as `env!("CARGO_BIN_EXE_detector")`, with exactly this environment besides Lambda's own.
    pub fn start(program: &str, environment: &[(String, String)]) -> Function {
        Function {
            program: program.to_owned(),
            environment: environment.to_vec(),
            process: Mutex::default(),
            killer: Killer::default(),
            log: Arc::default(),
        }
    }

    /// Invokes with a deadline of two minutes.
    pub fn invoke(&self, payload: &Value) -> Result<Value, FunctionError> {
        self.invoke_within(payload, DEADLINE)
    }

    /// Invokes and waits for the answer, starting the process if none is running. As in Lambda the process is killed
    /// when the deadline passes, and a process that has died is replaced by the next invocation.
    pub fn invoke_within(&self, payload: &Value, deadline: Duration) -> Result<Value, FunctionError> {
        let mut process = lock(&self.process);
        if process.is_none() || self.killer.ended().is_some() {
            *process = Some(self.spawn());
        }
        let process = process.as_mut().expect("a process was started");
        let due = Instant::now() + deadline;
        let id = process.api.offer(payload.to_string(), deadline);
        loop {
            if let Some(answer) = process.api.answer(&id, LOOK) {
                process.note_first_poll();
                return answer;
            }
            process.note_first_poll();
            if let Some(status) = self.killer.ended() {
                // An answer may have been posted just before the end.
                let last = process.api.answer(&id, LOOK);
                return last.unwrap_or_else(|| Err(FunctionError::Exited(format!("{status}\n{}", self.log()))));
            }
            if Instant::now() > due {
                self.killer.kill();
                return Err(FunctionError::TimedOut);
            }
        }
    }

    /// What kills the process of this function.
    pub fn killer(&self) -> Killer {
        self.killer.clone()
    }

    /// Everything that the processes have written to standard output and standard error so far. What was written before
    /// an answer may still be on its way, so it waits until nothing more comes.
    pub fn log(&self) -> String {
        let mut length = None;
        loop {
            let log = lock(&self.log).clone();
            if length == Some(log.len()) {
                return log;
            }
            length = Some(log.len());
            std::thread::sleep(SETTLE);
        }
    }

    /// Time from the start of the present process to its first request for work, once it has asked.
    pub fn to_first_poll(&self) -> Option<Duration> {
        lock(&self.process).as_ref().and_then(|process| process.to_first_poll)
    }

    fn spawn(&self) -> Process {
        let api = Api::start();
        let begun = Instant::now();
        let mut child = Command::new(&self.program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "under-test")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/under-test")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[1]under-test")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.program));
        collect(child.stdout.take(), &self.log);
        collect(child.stderr.take(), &self.log);
        *lock(&self.killer.0) = Some(child);
        Process { api, to_first_poll: None, begun }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.killer.kill();
    }
}

impl Process {
    fn note_first_poll(&mut self) {
        if self.to_first_poll.is_none() {
            let first = lock(&self.api.work).first_poll;
            self.to_first_poll = first.map(|at| at.duration_since(self.begun));
        }
    }
}

/// Copies what a process writes into the log, until it closes.
fn collect(pipe: Option<impl Read + Send + 'static>, log: &Arc<Mutex<String>>) {
    let (Some(mut pipe), log) = (pipe, log.clone()) else { return };
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            lock(&log).push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    });
}

/// The Lambda Runtime API for one process. Each process has its own, so that a dead one cannot take work.
#[derive(Debug)]
struct Api {
    address: String,
    work: Mutex<Work>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    waiting: VecDeque<(String, String, u128)>,
    answers: HashMap<String, Result<Value, FunctionError>>,
    offered: u64,
    first_poll: Option<Instant>,
}

impl Api {
    fn start() -> Arc<Api> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port for the Runtime API");
        let address = listener.local_addr().expect("its address").to_string();
        let api = Arc::new(Api { address, work: Mutex::default(), changed: Condvar::new() });
        let serving = api.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let api = serving.clone();
                std::thread::spawn(move || api.serve(stream));
            }
        });
        api
    }

    fn offer(&self, payload: String, deadline: Duration) -> String {
        let due = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + deadline;
        let mut work = lock(&self.work);
        work.offered += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", work.offered);
        work.waiting.push_back((id.clone(), payload, due.as_millis()));
        self.changed.notify_all();
        id
    }

    fn answer(&self, id: &str, within: Duration) -> Option<Result<Value, FunctionError>> {
        let mut work = lock(&self.work);
        if !work.answers.contains_key(id) {
            work = self.changed.wait_timeout(work, within).expect("no thread panics holding it").0;
        }
        work.answers.remove(id)
    }

    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let Ok(mut writer) = stream.try_clone() else { return };
        let mut reader = BufReader::new(stream);
        while let Ok(Some(request)) = read_request(&mut reader) {
            if self.reply(&request).write(&mut writer).is_err() {
                return;
            }
        }
    }

    fn reply(&self, request: &Message) -> Message {
        let path = request.word(1).trim_start_matches("/2018-06-01/runtime/").to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        let body = || serde_json::from_slice(&request.body).unwrap_or_else(|_| text(&request.body));
        match parts.as_slice() {
            ["invocation", "next"] => self.next(),
            ["invocation", id, "response"] => self.take(id, Ok(body())),
            ["invocation", id, "error"] => self.take(id, Err(FunctionError::Handler(body()))),
            _ => Message::answer(202, b"{}"),
        }
    }

    fn next(&self) -> Message {
        let mut work = lock(&self.work);
        work.first_poll.get_or_insert_with(Instant::now);
        loop {
            if let Some((id, payload, due)) = work.waiting.pop_front() {
                let mut answer = Message::answer(200, payload.as_bytes());
                answer.headers.push(("Lambda-Runtime-Aws-Request-Id".to_owned(), id));
                answer.headers.push(("Lambda-Runtime-Deadline-Ms".to_owned(), due.to_string()));
                answer.headers.push(("Lambda-Runtime-Invoked-Function-Arn".to_owned(), ARN.to_owned()));
                return answer;
            }
            work = self.changed.wait(work).expect("no thread panics holding it");
        }
    }

    fn take(&self, id: &str, answer: Result<Value, FunctionError>) -> Message {
        lock(&self.work).answers.insert(id.to_owned(), answer);
        self.changed.notify_all();
        Message::answer(202, b"{}")
    }
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
