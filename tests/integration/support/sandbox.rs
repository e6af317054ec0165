//! A sandbox to run the built binary in: a temporary home directory, an /etc laid over that of the
//! machine, a host name, and only the variables that the test sets. It kills a run that does not
//! end, and searches the output and the files of each run for secrets. It must not depend on AWS.
//!
//! `unshare` of util-linux makes the mount and host-name namespaces. In them a test sets how names
//! resolve (no real name server is asked), fills /etc/boto.cfg and /usr/local/etc, and makes a file
//! system read-only or full, even for root.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{ca, clock, secrets};

/// The host name, which the program writes into alerts.
pub const HOST_NAME: &str = "raspberrypi";

/// The time after which a run is killed. Every run of a test ends far earlier.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// The hosts file of every sandbox. Nothing listens on 127.0.77.1.
const HOSTS: &str = "\
127.0.0.1 localhost raspberrypi
::1 localhost
127.0.0.1 reflect.example.net reflect2.example.net only4.example.net
::1 reflect.example.net reflect2.example.net only6.example.net
127.0.77.1 checkip.global.api.aws icanhazip.com
";

pub struct Sandbox {
    root: TempDir,
    environment: BTreeMap<String, String>,
    secrets: Vec<String>,
    /// Paths and ports that differ from run to run, each with its placeholder in the outputs.
    placeholders: Vec<(String, String)>,
    /// Shell commands that run in the namespaces before the program starts.
    setup: Vec<String>,
    network: Network,
}

/// The network of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// The network of the machine. The fake servers are on its loopback.
    Shared,
    /// A separate loopback and nothing else.
    None,
    /// A separate loopback with the default route of IPv4.
    Route,
}

impl Sandbox {
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("autodns-it-").tempdir().expect("a directory");
        let path = |name: &str| root.path().join(name).to_str().expect("UTF-8").to_owned();
        for directory in ["home", "etc", "local"] {
            fs::create_dir(path(directory)).expect("a directory");
        }
        fs::write(path("etc/hosts"), HOSTS).expect("etc/hosts");
        // Port 53 of this address refuses connections.
        fs::write(path("etc/resolv.conf"), "nameserver 127.0.77.1\n").expect("etc/resolv.conf");
        fs::write(path("etc/nsswitch.conf"), "hosts: files dns\n").expect("etc/nsswitch.conf");
        fs::write(path("ca.pem"), ca::pem()).expect("ca.pem");
        let environment = BTreeMap::from([
            ("HOME".to_owned(), path("home")),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("AWS_CA_BUNDLE".to_owned(), path("ca.pem")),
        ]);
        let placeholders = vec![
            (path("home"), "{home}".to_owned()),
            (path(""), "{root}/".to_owned()),
            (env!("CARGO_BIN_EXE_autodns").to_owned(), "{program}".to_owned()),
        ];
        Self {
            root,
            environment,
            secrets: Vec::new(),
            placeholders,
            setup: Vec::new(),
            network: Network::Shared,
        }
    }

    /// The home directory, which is also the program's working directory.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// A path in the home directory, as text.
    pub fn path(&self, name: &str) -> String {
        self.home().join(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, content).expect("a file in the sandbox");
        self.path(name)
    }

    /// Writes an executable file.
    pub fn script(&self, name: &str, content: &str) -> String {
        let path = self.write(name, content);
        self.set_mode(name, 0o755);
        path
    }

    pub fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("chmod");
    }

    pub fn read(&self, name: &str) -> Option<String> {
        fs::read(self.home().join(name))
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn exists(&self, name: &str) -> bool {
        self.home().join(name).symlink_metadata().is_ok()
    }

    /// Writes a file in /etc, as the program sees it.
    pub fn etc(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root.path().join("etc").join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a file in etc");
    }

    /// Adds these lines to /etc/hosts, as the program sees it.
    pub fn hosts(&self, lines: &str) {
        let path = self.root.path().join("etc/hosts");
        let hosts = fs::read_to_string(&path).expect("etc/hosts");
        fs::write(path, format!("{hosts}{lines}\n")).expect("etc/hosts");
    }

    /// Sets the mode of a file or folder in /etc, as the program sees it.
    pub fn etc_mode(&self, name: &str, mode: u32) {
        let path = self.root.path().join("etc").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    }

    /// Writes a file in /usr/local/etc, as the program sees it.
    pub fn local_etc(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.root.path().join("local").join(name), content).expect("a file in local");
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    pub fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    /// Makes every later run fail that shows this text, in any encoding.
    pub fn secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Replaces `text` by `placeholder` in the outputs of later runs.
    pub fn placeholder(&mut self, text: &str, placeholder: &str) {
        self.placeholders.push((text.to_owned(), placeholder.to_owned()));
    }

    pub fn network(&mut self, network: Network) {
        self.network = network;
    }

    /// Makes a named pipe in the home directory.
    pub fn pipe(&self, name: &str) {
        make_pipe(&self.home().join(name));
    }

    /// Makes name lookups hang: the hosts file becomes a pipe that has no writer.
    pub fn hang_name_lookups(&self) {
        let hosts = self.root.path().join("etc/hosts");
        fs::remove_file(&hosts).expect("etc/hosts");
        make_pipe(&hosts);
    }

    /// Mounts a folder of the home over another folder, for the program only.
    pub fn mount_over(&mut self, name: &str, place: &str) {
        // `/proc/self` would be the process of `mount`. The shell becomes the program by `exec`, so
        // both have the same process id.
        let place = place.replace("/proc/self/", "/proc/$$/");
        self.setup.push(format!("mount --bind '{}' {place}", self.path(name)));
    }

    /// Makes a directory of the home read-only for the program.
    pub fn make_read_only(&mut self, name: &str) {
        let path = self.path(name);
        self.setup.push(format!("mount --rbind '{path}' '{path}'"));
        self.setup.push(format!("mount -o remount,bind,ro '{path}'"));
    }

    /// Mounts a file of the home on itself, so that the program cannot remove it.
    pub fn pin(&mut self, name: &str) {
        let path = self.path(name);
        self.setup.push(format!("mount --bind '{path}' '{path}'"));
    }

    pub fn umask(&mut self, umask: &str) {
        self.setup.push(format!("umask {umask}"));
    }

    /// Removes all mounts, prepared commands and the umask.
    pub fn clear_setup(&mut self) {
        self.setup.clear();
    }

    /// Makes a directory of the home a full file system, for the program only.
    pub fn make_full(&mut self, name: &str) {
        let path = self.path(name);
        self.setup.push(format!("mount -t tmpfs -o size=4k,mode=777 full '{path}'"));
        self.setup.push(format!(": > '{path}/filler'"));
        self.setup.push(format!("head -c 4096 /dev/zero > '{path}/filler'"));
    }

    /// Makes an empty file after the mounts that were added before.
    pub fn touch(&mut self, name: &str) {
        self.setup.push(format!(": > '{}'", self.path(name)));
    }

    /// Mounts a file of the machine over a file of the home, for the program only.
    pub fn mount_file(&mut self, place: &str, name: &str) {
        let path = self.write(name, "");
        self.setup.push(format!("mount --bind '{place}' '{path}'"));
    }

    /// Writes a file of the home that belongs to uid 65534, as the program sees it.
    pub fn write_foreign(&mut self, name: &str, content: &str) {
        if is_root() {
            std::os::unix::fs::chown(self.write(name, content), Some(65534), None).expect("chown");
        } else {
            // Only root may change an owner. In a user namespace the files of the real root belong
            // to uid 65534.
            self.mount_file("/bin/sh", name);
        }
    }

    /// Adds a command that root runs in the program's namespaces before the program starts, for
    /// example `ip route`.
    pub fn prepare(&mut self, command: &str) {
        self.setup.push(command.to_owned());
    }

    /// Replaces each text that differs from run to run by its placeholder.
    pub fn with_placeholders(&self, text: &str) -> String {
        let mut placeholders = self.placeholders.clone();
        // The longest first, since a path may contain another one.
        placeholders.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        placeholders.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.spawn(arguments).finish(self)
    }

    /// Starts the program and returns at once.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        self.spawn_by(&[], arguments)
    }

    /// Starts the program through `wrapper`, a command that runs another, for example `nice`.
    pub fn spawn_by(&self, wrapper: &[&str], arguments: &[&str]) -> Running {
        let root = self.root.path().to_str().expect("UTF-8");
        let mut script = format!(
            "mount -t overlay -o 'lowerdir={root}/etc:/etc' overlay /etc\n\
             mount --bind '{root}/local' /usr/local/etc\n\
             hostname {HOST_NAME} || echo {HOST_NAME} > /proc/sys/kernel/hostname\n"
        );
        script += match self.network {
            Network::Shared => "",
            Network::None => "ip link set lo up\n",
            Network::Route => "ip link set lo up\nip route add default dev lo\n",
        };
        for command in &self.setup {
            writeln!(script, "{command}").expect("a String takes everything");
        }
        // This file shows that the setup succeeded. Otherwise a test could take a failed setup for
        // a failed program.
        let ready = self.root.path().join("ready");
        drop(fs::remove_file(&ready));
        writeln!(script, ": > '{}'\nexec \"$@\"", ready.display())
            .expect("a String takes everything");
        let mut command = Command::new("/usr/bin/unshare");
        command
            // Root needs no user namespace, and many containers forbid one.
            .arg(if is_root() { "-mu" } else { "-rmu" })
            .args((self.network != Network::Shared).then_some("-n"))
            .args(["/bin/sh", "-ec", &script, "sh"])
            .args(wrapper)
            .arg(env!("CARGO_BIN_EXE_autodns"))
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let before = Snapshot::of(&self.home());
        let mut child = command.spawn().expect("unshare of util-linux runs");
        let stdout = read_in_thread(child.stdout.take().expect("piped"));
        let stderr = read_in_thread(child.stderr.take().expect("piped"));
        Running { child, stdout, stderr, before, ready }
    }

    /// Fails if the text contains a secret.
    #[track_caller]
    pub fn assert_no_secret_in(&self, what: &str, text: &str) {
        for secret in &self.secrets {
            if let Some(form) = secrets::find(secret, text) {
                panic!("a secret ({form:?}) is in {what}:\n{text}");
            }
        }
    }
}

fn make_pipe(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo of coreutils runs");
    assert!(status.success(), "mkfifo");
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("/proc").uid() == 0
}

fn read_in_thread(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // If reading fails, the output is what was read before.
        drop(pipe.read_to_end(&mut bytes));
        drop(sender.send(bytes));
    });
    receiver
}

/// A run in progress. Dropping it kills the run.
pub struct Running {
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    before: Snapshot,
    ready: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // In most cases the run has already ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Running {
    pub fn kill(&mut self) {
        self.child.kill().expect("the program can be killed");
    }

    /// Waits for the end of the run, searches for secrets, and returns the result.
    #[track_caller]
    pub fn finish(mut self, sandbox: &Sandbox) -> Run {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the program can be waited for") {
                break Some(status);
            }
            if start.elapsed() > TIME_LIMIT {
                self.kill();
                break None;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let text = |pipe: &Receiver<Vec<u8>>| {
            let bytes = pipe
                .recv_timeout(Duration::from_secs(10))
                .expect("a child of the program keeps its output open");
            String::from_utf8(bytes).expect("the program prints UTF-8")
        };
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        assert!(
            self.ready.exists(),
            "the sandbox could not be set up (unshare, mount, overlay):\n{stderr}"
        );
        let Some(status) = status else {
            panic!("killed after {TIME_LIMIT:?}\nstdout: {stdout}\nstderr: {stderr}");
        };
        sandbox.assert_no_secret_in("stdout", &stdout);
        sandbox.assert_no_secret_in("stderr", &stderr);
        assert!(!stderr.contains("panicked at"), "the program panicked:\n{stderr}");
        let (wrote, contents) = self.before.compare(&Snapshot::of(&sandbox.home()));
        for (path, content) in contents {
            sandbox.assert_no_secret_in(&path, &content);
        }
        let (stderr, step_times) = clock::without_step_times(&sandbox.with_placeholders(&stderr));
        Run { stdout: sandbox.with_placeholders(&stdout), stderr, status, wrote, step_times }
    }
}

/// The result of a run. Placeholders replace the texts that differ from run to run.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub status: ExitStatus,
    /// The times of the steps of `--verbose` in milliseconds, in the order of the lines. `stderr`
    /// does not contain them.
    pub step_times: Vec<u64>,
    /// The changes to files of the home: `+ new`, `~ changed`, `- removed`.
    pub wrote: Vec<String>,
}

impl Run {
    /// Compares exit code, stdout and stderr whole.
    #[track_caller]
    pub fn assert(&self, code: i32, stdout: &str, stderr: &str) -> &Self {
        let same =
            self.status.code() == Some(code) && self.stdout == stdout && self.stderr == stderr;
        assert!(
            same,
            "\n--- expected: exit {code}\nstdout:\n{stdout}stderr:\n{stderr}\
             --- seen: exit {:?}, signal {:?}\nstdout:\n{}stderr:\n{}---",
            self.status.code(),
            self.status.signal(),
            self.stdout,
            self.stderr,
        );
        self
    }

    /// The lines of stderr, sorted, since the order of two threads differs from run to run.
    pub fn sorted_stderr(&self) -> String {
        let mut lines: Vec<&str> = self.stderr.lines().collect();
        lines.sort_unstable();
        lines.join("\n") + "\n"
    }

    /// Fails unless the run exits with 0 and prints nothing.
    #[track_caller]
    pub fn assert_silent(&self) -> &Self {
        self.assert(0, "", "")
    }

    #[track_caller]
    pub fn assert_wrote(&self, expected: &[&str]) -> &Self {
        assert_eq!(self.wrote, expected, "files written");
        self
    }
}

/// The files below a directory.
struct Snapshot(BTreeMap<String, Entry>);

#[derive(PartialEq, Eq)]
struct Entry {
    inode: u64,
    mode: u32,
    changed: (i64, i64),
    content: Vec<u8>,
}

impl Snapshot {
    fn of(directory: &Path) -> Self {
        let mut entries = BTreeMap::new();
        let mut left = vec![directory.to_owned()];
        while let Some(next) = left.pop() {
            let entries_of = match fs::read_dir(&next) {
                // A test without root cannot read a directory either that it closed to the program.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => continue,
                listed => listed.expect("a directory of the sandbox"),
            };
            for entry in entries_of {
                let path = entry.expect("an entry").path();
                // A run in progress may have removed a temporary file.
                let Ok(meta) = path.symlink_metadata() else { continue };
                let name = path.strip_prefix(directory).expect("inside").display().to_string();
                let mut changed = (meta.mtime(), meta.mtime_nsec());
                let content = if meta.is_dir() {
                    left.push(path);
                    changed = (0, 0);
                    Vec::new()
                } else if meta.is_symlink() {
                    fs::read_link(&path)
                        .map(|target| target.display().to_string().into_bytes())
                        .unwrap_or_default()
                } else if meta.is_file() {
                    fs::read(&path).unwrap_or_default()
                } else {
                    Vec::new()
                };
                let entry = Entry { inode: meta.ino(), mode: meta.mode(), changed, content };
                entries.insert(name, entry);
            }
        }
        Self(entries)
    }

    /// The differences, and the path and the text of each file that was written.
    fn compare(&self, after: &Self) -> (Vec<String>, Vec<(String, String)>) {
        let mut wrote = Vec::new();
        let mut contents = Vec::new();
        for (name, entry) in &after.0 {
            match self.0.get(name) {
                Some(old) if old == entry => continue,
                Some(_) => wrote.push(format!("~ {name}")),
                None => wrote.push(format!("+ {name}")),
            }
            contents.push((name.clone(), String::from_utf8_lossy(&entry.content).into_owned()));
        }
        let gone = self.0.keys().filter(|name| !after.0.contains_key(*name));
        wrote.extend(gone.map(|name| format!("- {name}")));
        wrote.sort_by(|one, other| one[2..].cmp(&other[2..]));
        (wrote, contents)
    }
}
