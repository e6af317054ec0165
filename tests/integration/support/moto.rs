//! The emulated AWS of tests/moto: one server for the whole test process, and a separate zone,
//! record, topic and users for each test. It checks signatures and policies with the code of
//! botocore. It ends when its standard input closes, at the end of the test process.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A Python that has boto3 and moto.
pub fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output = Command::new(file("setup.sh"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("tests/moto/setup.sh runs");
        assert!(output.status.success(), "tests/moto/setup.sh failed: {}", output.status);
        let directory = String::from_utf8(output.stdout).expect("a path");
        format!("{}/bin/python", directory.trim_end())
    })
}

fn file(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "moto", name].iter().collect()
}

struct Emulator {
    url: String,
    /// The emulator ends when this closes.
    _stdin: ChildStdin,
}

/// The URL of the emulator, for `AWS_ENDPOINT_URL`.
#[expect(clippy::zombie_processes, reason = "it ends when this process does, with its stdin")]
pub fn url() -> &'static str {
    static EMULATOR: OnceLock<Emulator> = OnceLock::new();
    let emulator = EMULATOR.get_or_init(|| {
        let mut child = Command::new(python())
            .arg(file("moto_aws.py"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/moto/moto_aws.py runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut url = String::new();
        output.read_line(&mut url).expect("a line from tests/moto/moto_aws.py");
        assert!(url.starts_with("http://127.0.0.1:"), "tests/moto/moto_aws.py serve said {url:?}");
        // Keep reading, so that a full pipe never stops the emulator.
        std::thread::spawn(move || drop(output.read_to_end(&mut Vec::new())));
        let stdin = child.stdin.take().expect("piped");
        Emulator { url: url.trim_end().to_owned(), _stdin: stdin }
    });
    &emulator.url
}

/// The resources of one test: a zone, a record, a topic with a subscriber, and users.
pub struct MotoResources {
    pub zone_id: String,
    pub topic_arn: String,
    queue_url: String,
    users: Value,
}

impl MotoResources {
    /// Creates them with these arguments of `moto_aws.py ENDPOINT create`.
    pub fn create(arguments: &[&str]) -> Self {
        let made = moto_aws(&[&["create"], arguments].concat());
        let text = |key: &str| made[key].as_str().expect("a text").to_owned();
        Self {
            zone_id: text("zone_id"),
            topic_arn: text("topic_arn"),
            queue_url: text("queue_url"),
            users: made["users"].clone(),
        }
    }

    /// Key id and secret of a user: `good`, `no_list`, `no_change` or `no_publish`.
    pub fn key(&self, user: &str) -> (String, String) {
        let text = |key: &str| self.users[user][key].as_str().expect("a text").to_owned();
        (text("key_id"), text("secret"))
    }

    pub fn records(&self) -> Value {
        moto_aws(&["records", &self.zone_id])
    }

    /// The messages that the topic's subscriber received since the last call.
    pub fn messages(&self) -> Value {
        moto_aws(&["messages", &self.queue_url])
    }

    /// Writes a record set in boto3's form.
    pub fn upsert(&self, record_set: &Value) {
        moto_aws(&["upsert-json", &self.zone_id, &record_set.to_string()]);
    }

    pub fn delete(&self, name: &str, kind: &str) {
        moto_aws(&["delete", &self.zone_id, name, kind]);
    }
}

fn moto_aws(arguments: &[&str]) -> Value {
    let output = Command::new(python())
        .arg(file("moto_aws.py"))
        .arg(url())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("tests/moto/moto_aws.py runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/moto/moto_aws.py {arguments:?}: {error}");
    if output.stdout.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&output.stdout).expect("JSON from tests/moto/moto_aws.py")
}
