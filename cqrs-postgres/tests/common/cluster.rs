//! A PostgreSQL server of a test's own, which may end it as it likes.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy lets only the tests themselves unwrap")]

use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use tempfile::TempDir;

/// Ports that no connection to somewhere else is given, so that a server finds its own again when it comes back.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// A server with its files in a folder that is removed with it.
pub(crate) struct Cluster {
    files: TempDir,
    settings: Vec<String>,
    port: u16,
    process: Child,
}

/// How a server ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// All connections are cut, and all that it knows is written to its tables.
    Fast,
    /// At once, as when it crashes. When it comes back, its write-ahead log has what its tables have not.
    Immediate,
}

impl Cluster {
    /// A new server, and how it is to be set up beside its defaults, as in `ssl=on`.
    pub(crate) fn new(settings: &[&str]) -> Self {
        Self::with_files(&[], settings)
    }

    /// As [`Cluster::new`], with copies of some files beside its own ones.
    pub(crate) fn with_files(copies: &[&Path], settings: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        if let Some((user, group)) = other_user() {
            chown(files.path(), Some(user), Some(group)).unwrap();
        }
        let mut make = program("initdb", &files);
        make.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = make.arg("-D").arg(data(&files)).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        for copy in copies {
            let place = data(&files).join(copy.file_name().unwrap());
            std::fs::copy(copy, &place).unwrap();
            if let Some((user, group)) = other_user() {
                chown(&place, Some(user), Some(group)).unwrap();
            }
        }
        let first = u32::from(PORTS.start) + std::process::id() % PORTS.len() as u32;
        let ports = (first as u16..PORTS.end).chain(PORTS);
        for port in ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
            match run(&files, &settings, port) {
                Ok(process) => return Self { files, settings, port, process },
                // Another server was faster.
                Err(said) if said.contains("Address already in use") => {}
                Err(said) => panic!("the server does not start: {said}"),
            }
        }
        panic!("there is no port left")
    }

    /// The URL of a database in it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends the server, and starts it again.
    pub(crate) fn restart(&mut self, end: End) {
        self.end(end);
        self.process = run(&self.files, &self.settings, self.port).unwrap_or_else(|said| panic!("{said}"));
    }

    fn end(&mut self, end: End) {
        let signal = match end {
            End::Fast => "INT",
            End::Immediate => "QUIT",
        };
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.process.wait().unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(End::Immediate);
    }
}

fn data(files: &TempDir) -> PathBuf {
    files.path().join("data")
}

/// Starts a server, and waits until it takes connections. Otherwise returns what it has said.
fn run(files: &TempDir, settings: &[String], port: u16) -> Result<Child, String> {
    let mut command = program("postgres", files);
    command.arg("-D").arg(data(files)).args(["-p", &port.to_string()]);
    command.arg("-k").arg(files.path()).args(["-c", "listen_addresses=127.0.0.1"]);
    for setting in settings {
        command.args(["-c", setting]);
    }
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    match until_ready(&mut lines) {
        Ok(()) => {
            // Somebody must read what it says.
            std::thread::spawn(move || lines.for_each(drop));
            Ok(process)
        }
        Err(said) => {
            process.wait().unwrap();
            Err(said)
        }
    }
}

fn until_ready(lines: &mut Lines<BufReader<ChildStderr>>) -> Result<(), String> {
    let mut said = String::new();
    for line in lines {
        let line = line.unwrap();
        if line.contains("database system is ready to accept connections") {
            return Ok(());
        }
        said = said + &line + "\n";
    }
    Err(said)
}

/// A program of the server, run where its files are.
fn program(name: &str, files: &TempDir) -> Command {
    let Some(programs) = option_env!("POSTGRES_PROGRAMS") else {
        panic!("there are no programs of a server")
    };
    let mut command = Command::new(Path::new(programs).join(name));
    command.current_dir(files.path()).stdin(Stdio::null()).env_remove("PGDATA");
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// Who runs it for root, whom it does not obey: its own user.
fn other_user() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let number = |which| {
        let said = Command::new("id").args([which, "postgres"]).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().parse().expect("there is a user postgres")
    };
    Some((number("-u"), number("-g")))
}
