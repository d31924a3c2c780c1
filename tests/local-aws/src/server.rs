//! The stand-ins: MiniStack, and moto for the few calls that MiniStack does not know. Python programs that others wrote.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::http::{Message, exchange};

/// The account that the stand-in and the programs run in.
pub const ACCOUNT: &str = "111111111111";
/// The region of everything.
pub const REGION: &str = "us-east-1";

/// Other programs may take a free port between our asking and the server's binding it.
const STARTS: usize = 5;
/// Long, because several builds may share the machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A running stand-in for AWS, empty at the start. It stops when dropped.
#[derive(Debug)]
pub struct LocalAws {
    child: Child,
    address: String,
    folder: PathBuf,
}

/// Which program stands in for AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StandIn {
    MiniStack,
    Moto,
}

impl LocalAws {
    /// Starts it. Panics, naming the remedy, when it is not installed: a test that needs it must not pass without it.
    pub fn start() -> LocalAws {
        LocalAws::start_with(&[])
    }

    /// Starts it with further environment variables, such as `AUTH=true`: then it enforces IAM.
    pub fn start_with(environment: &[(&str, &str)]) -> LocalAws {
        LocalAws::start_as(StandIn::MiniStack, environment)
    }

    /// Starts moto instead, for IAM and STS alone: it knows SetDefaultPolicyVersion. `AWS_ENDPOINT_URL_IAM` and
    /// `AWS_ENDPOINT_URL_STS` lead programs to it. It takes the account of a program from its access key, which must be one of
    /// its own; MiniStack takes such a key for one of [`ACCOUNT`].
    pub fn start_moto() -> LocalAws {
        LocalAws::start_as(StandIn::Moto, &[])
    }

    fn start_as(stand_in: StandIn, environment: &[(&str, &str)]) -> LocalAws {
        let program = match stand_in {
            StandIn::MiniStack => program(),
            StandIn::Moto => program().with_file_name("moto_server"),
        };
        let mut last = String::new();
        for _ in 0..STARTS {
            match LocalAws::try_start((stand_in, &program), environment) {
                Ok(server) => return server,
                Err(reason) => last = reason,
            }
        }
        panic!("{} did not start: {last}", program.display());
    }

    fn try_start((stand_in, program): (StandIn, &Path), environment: &[(&str, &str)]) -> Result<LocalAws, String> {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let folder = scratch_folder();
        let log = folder.join("stand-in.log");
        let output = File::create(&log).expect("log of the stand-in");
        let arguments = match stand_in {
            StandIn::MiniStack => Vec::new(),
            StandIn::Moto => vec!["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), port.to_string()],
        };
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("log of the stand-in"))
            .stderr(output)
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut server = LocalAws { child, address, folder };
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("it ended with {status}: {}", std::fs::read_to_string(&log).unwrap_or_default()));
            }
            if server.is_healthy(stand_in) {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("it was not ready after {READY_WITHIN:?}"))
    }

    fn is_healthy(&self, stand_in: StandIn) -> bool {
        let path = match stand_in {
            StandIn::MiniStack => "/_ministack/health",
            StandIn::Moto => "/moto-api/",
        };
        let headers = vec![("Host".to_owned(), self.address.clone())];
        let request = Message { start: format!("GET {path} HTTP/1.1"), headers, ..Message::default() };
        TcpStream::connect(&self.address).is_ok()
            && exchange(&self.address, &request).is_ok_and(|answer| answer.status() == 200)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A folder that goes away with the stand-in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The variables that lead AWS clients here, and nowhere else.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(&self.url())
    }

    /// Runs a Python program against the stand-in, with the packages that `make test` installs, and reads the JSON it
    /// prints. Panics with what it wrote when it fails.
    pub fn python(&self, script: &Path, arguments: &[&str]) -> serde_json::Value {
        let python = program().with_file_name("python");
        let output = Command::new(&python)
            .arg(script)
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .env("AWS_DEFAULT_REGION", REGION)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
        let wrote = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{}: {error}\n{wrote}", script.display()))
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The variables that lead AWS clients to an endpoint, with keys that are worth nothing elsewhere.
pub(crate) fn environment(endpoint: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCOUNT),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn scratch_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("local-aws-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the stand-in");
    folder
}

/// `MINISTACK_BIN`, else the one that `make test` installs.
fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/ministack");
    let program = std::env::var_os("MINISTACK_BIN").map_or(installed, PathBuf::from);
    assert!(
        program.is_file(),
        "{} is missing: run `make test`, which installs it, or set MINISTACK_BIN to ministack 1.5.33",
        program.display()
    );
    program
}
