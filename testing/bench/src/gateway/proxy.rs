//! A proxy as a process: configured, started, weighed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::client::{Connection, Door, NAME, Question, tls};
use super::{Plan, application, free};
use crate::runners::{GROUP, Serving};
use crate::server::side;
use crate::{Failure, disguise, stopwatch};

/// A proxy that passes nothing on after this long never will.
const LONGEST_START: Duration = Duration::from_secs(20);

/// How often it is asked whether it does.
const POLL: Duration = Duration::from_millis(20);

/// The most connections of clients, far more than are opened, and with as many to the application
/// within the descriptors that a process is usually allowed.
const CONNECTIONS: usize = 4096;

/// Files of the certificate, below a directory.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// Both in one, as HAProxy wants it.
const BOTH: &str = "both.pem";

/// Where the certificate is, and the files of the proxies.
pub(super) struct Files {
    dir: TempDir,
}

/// A proxy that runs. Dropping it ends it.
pub(super) struct Proxy {
    pub(super) plain: Door,
    pub(super) secure: Door,
    process: Child,
    is_family: bool,
    /// What it says.
    log: PathBuf,
}

/// What processes hold, in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    pub(super) processes: usize,
    pub(super) rss: f64,
    /// Pages that several share count once.
    pub(super) pss: f64,
}

/// What an HAProxy knows of the nodes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// There is one, and it is well.
    Assumed,
    /// Each is asked whether it leads.
    Asked,
}

impl Files {
    pub(super) fn new(above: &Path) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new()
            .prefix("incumbent-bench-")
            .tempdir_in(above)?;
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        std::fs::write(dir.path().join(CERTIFICATE), &certificate)?;
        std::fs::write(dir.path().join(KEY), &key)?;
        std::fs::write(dir.path().join(BOTH), certificate + &key)?;
        Ok(Self { dir })
    }

    /// A file of this name, as text in a configuration.
    fn name(&self, file: &str) -> String {
        self.dir.path().join(file).display().to_string()
    }

    /// Both doors of an application, which takes what this says as further arguments.
    pub(super) fn direct(&self, serving: &mut Serving) -> Result<[Door; 2], Failure> {
        let secure = free()?;
        let more = [secure.to_string(), self.name(CERTIFICATE), self.name(KEY)];
        serving.arguments.extend(more.map(Into::into));
        Ok([door(serving.web), self.secure(secure)?])
    }

    fn secure(&self, address: SocketAddr) -> Result<Door, Failure> {
        let tls = Some(tls(&self.dir.path().join(CERTIFICATE))?);
        Ok(Door { address, tls })
    }
}

impl Proxy {
    /// `incumbent gateway`, with all its defaults.
    pub(super) async fn gateway(plan: &Plan, files: &Files, ha: &str) -> Result<Self, Failure> {
        let (plain, secure) = (free()?, free()?);
        let mut command = tied(disguise::TIED, &plan.program)?;
        command
            .args(["--ha", ha, "--group", GROUP, "--log", "warn", "gateway"])
            .args(["--listen", &plain.to_string()])
            .args(["--tls-listen", &secure.to_string()])
            .args(["--cert", &files.name(CERTIFICATE)])
            .args(["--key", &files.name(KEY)]);
        // What the user has configured is not what is measured.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("INCUMBENT_") {
                command.env_remove(name);
            }
        }
        command.env("XDG_CONFIG_HOME", files.dir.path());
        Self::start(command, files, (plain, secure), false).await
    }

    /// HAProxy: all that may matter is its default.
    pub(super) async fn haproxy(
        plan: &Plan,
        files: &Files,
        nodes: &[Serving],
        health: Health,
    ) -> Result<Self, Failure> {
        let (plain, secure) = (free()?, free()?);
        let both = files.name(BOTH);
        let mut text = format!(
            "global\n  maxconn {CONNECTIONS}\n\
             defaults\n  mode http\n  option forwardfor\n  timeout connect 5s\n  timeout client 50s\n  timeout server 50s\n\
             frontend web\n  bind {plain}\n  bind {secure} ssl crt {both}\n  default_backend nodes\n\
             backend nodes\n"
        );
        if health == Health::Asked {
            text += "  option redispatch\n  option httpchk GET /leaderz\n  http-check expect status 200\n\
                     \x20 default-server inter 1s fall 1 rise 1 on-marked-down shutdown-sessions\n";
        }
        for (number, node) in nodes.iter().enumerate() {
            text += &format!("  server node{number} {}", node.web);
            if health == Health::Asked {
                text += &format!(
                    " check addr {} port {}",
                    node.status.ip(),
                    node.status.port()
                );
            }
            text += "\n";
        }
        let file = files.name("haproxy.cfg");
        std::fs::write(&file, text)?;
        let mut command = tied(disguise::TIED, &plan.haproxy)?;
        command.args(["-db", "-f", &file]);
        Self::start(command, files, (plain, secure), false).await
    }

    /// nginx, as its documentation has it for applications that are kept alive.
    pub(super) async fn nginx(plan: &Plan, files: &Files, node: &Serving) -> Result<Self, Failure> {
        let (plain, secure) = (free()?, free()?);
        let dir = files.dir.path().display();
        let (certificate, key, web) = (files.name(CERTIFICATE), files.name(KEY), node.web);
        // Its own user could not enter the directory, and nobody else needs to be root.
        let user = match rustix::process::geteuid().is_root() {
            true => "user root;\n",
            false => "",
        };
        // By default it closes a connection after a thousand requests: then connecting would be
        // measured.
        let text = format!(
            "{user}daemon off;\nworker_processes auto;\npid {dir}/nginx.pid;\nerror_log stderr crit;\n\
             events {{ worker_connections {CONNECTIONS}; }}\n\
             http {{\n  access_log off;\n  keepalive_requests 1000000000;\n\
             \x20 client_body_temp_path {dir}/body;\n  proxy_temp_path {dir}/proxy;\n  fastcgi_temp_path {dir}/fastcgi;\n\
             \x20 uwsgi_temp_path {dir}/uwsgi;\n  scgi_temp_path {dir}/scgi;\n\
             \x20 upstream node {{ server {web}; keepalive 1024; keepalive_requests 1000000000; }}\n\
             \x20 server {{\n    listen {plain};\n    listen {secure} ssl;\n    ssl_certificate {certificate};\n    ssl_certificate_key {key};\n\
             \x20   ssl_protocols TLSv1.2 TLSv1.3;\n\
             \x20   location / {{\n      proxy_pass http://node;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n\
             \x20     proxy_set_header Host $host;\n      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }}\n  }}\n}}\n"
        );
        let file = files.name("nginx.conf");
        std::fs::write(&file, text)?;
        // Killed it would leave its workers behind.
        let mut command = tied(disguise::TIED_SOFTLY, &plan.nginx)?;
        command.args(["-p", &dir.to_string(), "-e", "stderr", "-c", &file]);
        Self::start(command, files, (plain, secure), true).await
    }

    async fn start(
        mut command: Command,
        files: &Files,
        (plain, secure): (SocketAddr, SocketAddr),
        is_family: bool,
    ) -> Result<Self, Failure> {
        let log = files.dir.path().join(format!("{}.log", plain.port()));
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(!is_family)
            .spawn()?;
        let mut proxy = Self {
            plain: door(plain),
            secure: files.secure(secure)?,
            process,
            is_family,
            log,
        };
        let question = Question::get("/", application::SMALL_BODY);
        for door in [proxy.plain.clone(), proxy.secure.clone()] {
            proxy.until_it_passes(&door, &question).await?;
        }
        Ok(proxy)
    }

    async fn until_it_passes(&mut self, door: &Door, question: &Question) -> Result<(), Failure> {
        let begin = stopwatch::now();
        loop {
            let asked = async { Connection::open(door).await?.ask(&question.request).await };
            let said = match asked.await {
                Ok(answered) if answered == question.expected => return Ok(()),
                Ok(answered) => format!("{answered:?}"),
                Err(error) => error.to_string(),
            };
            if let Some(status) = self.process.try_wait()? {
                let log = std::fs::read_to_string(&self.log)?;
                return Err(format!("a proxy ended as it started: {status}\n{log}").into());
            }
            if begin.elapsed() > LONGEST_START {
                return Err(format!("a proxy passes nothing on: {said}").into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Itself and its children.
    fn processes(&self) -> Result<Vec<u32>, Failure> {
        let own = self.process.id().ok_or("a proxy has ended")?;
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let children = children.unwrap_or_default();
        let mut all = vec![own];
        for child in children.split_whitespace() {
            all.push(child.parse()?);
        }
        Ok(all)
    }

    /// What it has taken of the processors since it was started.
    pub(super) fn cpu(&self) -> Result<Duration, Failure> {
        self.processes()?.into_iter().map(side::cpu).sum()
    }

    pub(super) fn memory(&self) -> Result<Memory, Failure> {
        let mut memory = Memory::default();
        for pid in self.processes()? {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let field = |name: &str| {
                let line = text.lines().find(|line| line.starts_with(name))?;
                line.split_whitespace().nth(1)?.parse::<f64>().ok()
            };
            let mib = |name| field(name).map(|kib| kib / 1024.0);
            memory.processes += 1;
            memory.rss += mib("Rss:").ok_or("the system does not tell")?;
            memory.pss += mib("Pss:").ok_or("the system does not tell")?;
        }
        Ok(memory)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if !self.is_family {
            return;
        }
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // It may have ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// The name and version that this program prints, in one line.
pub(super) fn version(program: &Path) -> String {
    let said = std::process::Command::new(program).arg("-v").output();
    let said = said.map(|said| [said.stdout, said.stderr].concat());
    let text = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
    let first = text.lines().next().unwrap_or("unknown");
    // The rest says where it is from.
    first.split(" - ").next().unwrap_or(first).to_owned()
}

fn door(address: SocketAddr) -> Door {
    Door { address, tls: None }
}

pub(super) fn tied(how: &str, program: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([how, &std::process::id().to_string()]);
    command.arg(program);
    Ok(command)
}
