//! An OpenSSL server, for certificates and TLS settings that rustls does not offer. It answers
//! every request with one address.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The address in every response.
pub const ADDRESS: &str = "192.175.48.7";

/// The server. It stops when dropped.
pub struct OpenSsl {
    child: Child,
    port: u16,
}

impl OpenSsl {
    /// Starts `openssl s_server` in `folder`, which holds `cert.pem` and `key.pem`.
    pub fn serve(folder: &Path, options: &[&str]) -> Self {
        let reply =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{ADDRESS}", ADDRESS.len());
        std::fs::write(folder.join("ip"), reply).expect("the answer");
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem"])
            .arg("-HTTP")
            .args(options)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = lines
            .find_map(|line| line.ok()?.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok())
            .expect("openssl s_server says where it listens");
        // Keep reading, so that a full pipe never stops the server.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs shell commands in `folder`. Each begins with `openssl`.
#[track_caller]
pub fn make(folder: &Path, script: &str) {
    let output = Command::new("/bin/sh")
        .args(["-ec", script])
        .current_dir(folder)
        .output()
        .expect("sh runs");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}
