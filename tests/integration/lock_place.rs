//! The path and the owner of the lock, and foreign files at the path of the lock or of the pending
//! file. The program never follows, waits for, writes or removes a foreign file. It sends the alert
//! in each failing run and prints the cause.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::support::assert_text;
use crate::support::expected;
use crate::support::fake_aws::Fault;
use crate::support::fake_aws::Operation::Publish;
use crate::support::fixture::Fixture;
use crate::support::http::{Family, Reply};

const LOCK: &str = "autodns.lock";
const PENDING: &str = ".autodns.lock.pending";

/// A fixture whose reflector fails over IPv4. `make` prepares its home.
fn failing(make: impl FnOnce(&mut Fixture)) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.sandbox.write("precious", "precious content");
    make(&mut fixture);
    fixture.reflector.fails(Family::V4);
    fixture
}

/// The content of a lock of the usual config.
fn lock_of(fixture: &Fixture) -> String {
    let config = fixture.sandbox.path("autodns.json");
    format!("{{\"config\":\"{config}\",\"since\":\"2026-01-02T03:04:05Z\"}}\n")
}

/// Asserts that two failing runs send two alerts and print `why`, that a good run after them sends
/// nothing, and that no file changes.
#[track_caller]
fn assert_alert_repeats(fixture: &Fixture, why: &str) {
    let why = format!(
        "alert_lock {{home}}/{why}; every failing run repeats the alert until this is fixed"
    );
    let said = format!("autodns: home.example.com: {why}\n");
    for count in 1..=2 {
        let stderr = expected::out_of_order(Family::V4) + &said;
        fixture.run().assert(1, "", &stderr).assert_wrote(&[]);
        let published = fixture.aws.published();
        assert_eq!(published.len(), count);
        let message = fixture.sandbox.with_placeholders(&published[count - 1].message);
        let end = format!("\n\nThis message repeats: {why}.\n");
        assert!(message.ends_with(&end), "{message}");
    }
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture.run().assert_silent().assert_wrote(&[]);
    assert_eq!(fixture.aws.published().len(), 2);
}

#[test]
fn lock_that_is_a_pipe_or_device_is_not_read() {
    let fixture = failing(|fixture| fixture.sandbox.pipe(LOCK));
    assert_alert_repeats(&fixture, "autodns.lock is not a regular file");
    let fixture = failing(|fixture| fixture.sandbox.mount_file("/dev/zero", LOCK));
    assert_alert_repeats(&fixture, "autodns.lock is not a regular file");
}

#[test]
fn lock_of_another_user_suppresses_no_alert() {
    for content in ["", "a lock"] {
        let fixture = failing(|fixture| {
            let content = if content.is_empty() { String::new() } else { lock_of(fixture) };
            fixture.sandbox.write_foreign(LOCK, &content);
        });
        assert_alert_repeats(&fixture, "autodns.lock belongs to another user (uid 65534)");
    }
}

#[test]
fn lock_that_is_a_hard_link_leaves_its_target_unchanged() {
    let link = |fixture: &Fixture, to: &str| {
        fs::hard_link(fixture.sandbox.path(to), fixture.sandbox.path(LOCK)).expect("a hard link");
    };
    let fixture = failing(|fixture| link(fixture, "precious"));
    assert_alert_repeats(&fixture, "autodns.lock is a file that autodns did not write");
    assert_eq!(fixture.sandbox.read("precious").as_deref(), Some("precious content"));
    let metadata = fs::metadata(fixture.sandbox.path("precious")).expect("the file");
    assert_eq!(metadata.nlink(), 2);

    // A hard link with the content of a lock is a lock. Only this name is removed.
    for empty in [false, true] {
        let content = |fixture: &Fixture| if empty { String::new() } else { lock_of(fixture) };
        let fixture = failing(|fixture| {
            fixture.sandbox.write("backup", content(fixture));
            link(fixture, "backup");
        });
        fixture.run().assert(1, "", &expected::out_of_order(Family::V4)).assert_wrote(&[]);
        fixture.reflector.says(Family::V4, "192.175.48.7");
        fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
        assert_eq!(fixture.sandbox.read("backup"), Some(content(&fixture)));
        assert_eq!(fixture.aws.published().len(), 1);
    }
}

/// A function that makes a foreign file, and the message about that file.
type ForeignFile = (fn(&mut Fixture), &'static str);

/// The foreign files that may be at the path of the pending file.
fn foreign_pending_files() -> Vec<ForeignFile> {
    fn link(fixture: &Fixture, to: &str) {
        symlink(fixture.sandbox.path(to), fixture.sandbox.path(PENDING)).expect("a symlink");
    }
    vec![
        (
            |fixture| link(fixture, "precious"),
            ".autodns.lock.pending is a symbolic link, which is never followed",
        ),
        (
            |fixture| link(fixture, "not-there"),
            ".autodns.lock.pending is a symbolic link, which is never followed",
        ),
        (
            |fixture| fs::create_dir(fixture.sandbox.path(PENDING)).expect("a directory"),
            ".autodns.lock.pending is a directory",
        ),
        (|fixture| fixture.sandbox.pipe(PENDING), ".autodns.lock.pending is not a regular file"),
        (
            |fixture| fixture.sandbox.write_foreign(PENDING, &lock_of(fixture)),
            ".autodns.lock.pending belongs to another user (uid 65534)",
        ),
        (
            |fixture| drop(fixture.sandbox.write(PENDING, "my notes\n")),
            ".autodns.lock.pending is a file that autodns did not write",
        ),
    ]
}

#[test]
fn foreign_pending_file_stays_when_alert_is_sent() {
    for (make, why) in foreign_pending_files() {
        let fixture = failing(make);
        assert_alert_repeats(&fixture, why);
        assert_eq!(fixture.sandbox.read("precious").as_deref(), Some("precious content"));
        assert!(!fixture.sandbox.exists("not-there"));
    }
}

#[test]
fn foreign_pending_file_stays_when_lock_is_removed() {
    for (make, _) in foreign_pending_files() {
        let mut fixture = failing(|_| {});
        fixture.run().assert_wrote(&["+ autodns.lock"]);
        fixture.reflector.says(Family::V4, "192.175.48.7");
        make(&mut fixture);
        fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
        assert_eq!(fixture.aws.published().len(), 2);
        fixture.run().assert_silent().assert_wrote(&[]);
        assert_eq!(fixture.aws.published().len(), 2);
        assert_eq!(fixture.sandbox.read("precious").as_deref(), Some("precious content"));
        assert!(!fixture.sandbox.exists("not-there"));
    }
}

#[test]
fn recovery_message_is_retried_beside_a_foreign_file() {
    let mut fixture = failing(|_| {});
    fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    fixture.run().assert_wrote(&["+ autodns.lock"]);
    fixture.sandbox.write_foreign(PENDING, "");
    fixture.reflector.says(Family::V4, "192.175.48.7");
    // The message arrived, but its response was lost: the lock stays and is marked.
    fixture.aws.fault(Publish, Fault::After(Reply::reset()));
    let run = fixture.run();
    assert_eq!(run.status.code(), Some(0));
    run.assert_wrote(&["~ autodns.lock"]);
    // The next failure sends a new alert.
    fixture.reflector.fails(Family::V4);
    let run = fixture.run();
    assert!(run.stderr.contains("every failing run repeats the alert"), "{run:?}");
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(published_kinds(&fixture), "alert, recovery, alert, recovery");
}

/// The kinds of the published messages, in order.
fn published_kinds(fixture: &Fixture) -> String {
    let kind = |subject: &str| if subject.contains(" not ") { "alert" } else { "recovery" };
    let published = fixture.aws.published();
    published.iter().map(|message| kind(&message.subject)).collect::<Vec<_>>().join(", ")
}

/// The messages of two failing runs, two good runs and a failing run on a writable file system, for
/// each file at the path of the lock (rows) and of the pending file (columns).
#[test]
fn each_lock_and_pending_file_suppresses_expected_alerts() {
    assert_text(
        &outcome_table(
            false,
            &["absent", "ours", "empty", "foreign", "notes", "pinned"],
            &["absent", "ours", "foreign", "directory", "link", "pinned"],
        ),
        "absent  | A-R-A | A-R-A | A!A!--A! | A!A!--A! | A!A!--A! | A!A!-!-!A!\n\
         ours    | --R-A | --R-A | --R-A! | --R-A! | --R-A! | --R-!A!\n\
         empty   | --R-A | --R-A | --R-A! | --R-A! | --R-A! | --R-!A!\n\
         foreign | A!A!--A! | A!A!R-A! | A!A!--A! | A!A!--A! | A!A!--A! | A!A!-!-!A!\n\
         notes   | A!A!--A! | A!A!R-A! | A!A!--A! | A!A!--A! | A!A!--A! | A!A!-!-!A!\n\
         pinned  | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A!\n",
    );
}

/// The same on a read-only file system.
#[test]
fn lock_on_read_only_file_system_suppresses_no_alert() {
    assert_text(
        &outcome_table(
            true,
            &["absent", "ours", "empty", "foreign"],
            &["absent", "ours", "foreign"],
        ),
        "absent  | A!A!--A! | A!A!-!-!A! | A!A!--A!\n\
         ours    | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A!\n\
         empty   | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A!\n\
         foreign | A!A!--A! | A!A!-!-!A! | A!A!--A!\n",
    );
}

/// One line per lock, with one cell per pending file.
fn outcome_table(read_only: bool, locks: &[&str], pending_files: &[&str]) -> String {
    let mut table = String::new();
    for lock in locks {
        let mut cells = Vec::new();
        for pending in pending_files {
            let mut fixture = Fixture::new();
            fixture.sandbox.write("precious", "precious content");
            fs::create_dir(fixture.sandbox.path("disk")).expect("a directory");
            let path = fixture.sandbox.path("disk/autodns.lock");
            fixture.configure(|config| config["alert_lock"] = path.into());
            make_file(&mut fixture, lock, "disk/autodns.lock");
            make_file(&mut fixture, pending, "disk/.autodns.lock.pending");
            if read_only {
                fixture.sandbox.make_read_only("disk");
            }
            cells.push(outcomes(&fixture));
            assert_eq!(fixture.sandbox.read("precious").as_deref(), Some("precious content"));
        }
        table += &format!("{lock:7} | {}\n", cells.join(" | "));
    }
    table
}

/// Makes a file of this kind.
fn make_file(fixture: &mut Fixture, what: &str, name: &str) {
    match what {
        "ours" => drop(fixture.sandbox.write(name, lock_of(fixture))),
        "pinned" => {
            fixture.sandbox.write(name, lock_of(fixture));
            fixture.sandbox.pin(name);
        }
        "empty" => drop(fixture.sandbox.write(name, "")),
        "foreign" => {
            let content = lock_of(fixture);
            fixture.sandbox.write_foreign(name, &content);
        }
        "notes" => drop(fixture.sandbox.write(name, "my notes\n")),
        "directory" => fs::create_dir(fixture.sandbox.path(name)).expect("a directory"),
        "link" => {
            let target = fixture.sandbox.path("precious");
            symlink(target, fixture.sandbox.path(name)).expect("a symlink");
        }
        _ => {}
    }
}

/// The messages of two failing runs, two good runs and a failing run: an alert (A), the recovery
/// message (R), nothing (-); with `!` if stderr mentions the lock. A good run exits with 0.
fn outcomes(fixture: &Fixture) -> String {
    let mut said = String::new();
    for good in [false, false, true, true, false] {
        if good {
            fixture.reflector.says(Family::V4, "192.175.48.7");
        } else {
            fixture.reflector.fails(Family::V4);
        }
        let before = fixture.aws.published().len();
        let run = fixture.run();
        assert_eq!(run.status.code(), Some(i32::from(!good)), "{run:?}");
        let published = fixture.aws.published();
        said += match &published[before..] {
            [] => "-",
            [one] if one.subject.contains(" not ") => "A",
            [_] => "R",
            more => panic!("{} messages at once", more.len()),
        };
        said += if run.stderr.contains("alert_lock") { "!" } else { "" };
    }
    said
}

#[test]
fn empty_lock_on_a_full_disk_is_removed() {
    let mut fixture = Fixture::new();
    fs::create_dir(fixture.sandbox.path("full")).expect("a directory");
    fixture.sandbox.make_full("full");
    fixture.sandbox.touch("full/autodns.lock");
    let lock = fixture.sandbox.path("full/autodns.lock");
    fixture.configure(|config| config["alert_lock"] = lock.into());
    // The run prints nothing, so it removed the lock.
    fixture.run().assert_silent();
    assert_eq!(published_kinds(&fixture), "recovery");
    // The mount gives each run a new empty lock. It suppresses the alert, since it can be removed.
    fixture.reflector.fails(Family::V4);
    fixture.run().assert(1, "", &expected::out_of_order(Family::V4));
    assert_eq!(published_kinds(&fixture), "recovery");
}

/// A fixture whose config names no lock.
fn without_lock() -> Fixture {
    let mut fixture = failing(|_| {});
    fixture.remove_from_config("alert_lock");
    fixture
}

/// The name of the default lock in the state folder.
fn default_lock_name() -> String {
    format!("home.example.com-{DIGEST}.lock")
}

const DIGEST: &str = "49bd41e7b8c478144421bf1d5da247b5";

#[test]
fn lock_defaults_to_the_state_folder() {
    let state = |fixture: &Fixture, name: &str| fixture.sandbox.path(name);
    for (variables, folder) in [
        (&[][..], ".local/state/autodns"),
        (&[("XDG_STATE_HOME", "xdg")][..], "xdg/autodns"),
        (&[("XDG_STATE_HOME", "xdg"), ("STATE_DIRECTORY", "one")][..], "one"),
    ] {
        let mut fixture = without_lock();
        for (name, value) in variables {
            let value = state(&fixture, value);
            fixture.sandbox.set(name, value);
        }
        fixture.reflector.says(Family::V4, "192.175.48.7");
        fixture.run().assert_silent().assert_wrote(&[]);
        fixture.reflector.fails(Family::V4);
        let file = format!("{folder}/{}", default_lock_name());
        // The new folders, outermost first, and the lock.
        let paths: Vec<String> = file
            .match_indices('/')
            .map(|(end, _)| format!("+ {}", &file[..end]))
            .chain([format!("+ {file}")])
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        fixture.run().assert(1, "", &expected::out_of_order(Family::V4)).assert_wrote(&paths);
        let mode = |name: &str| {
            let metadata = fs::metadata(fixture.sandbox.path(name)).expect("it is there");
            metadata.mode() & 0o7777
        };
        assert_eq!((mode(folder), mode(&file)), (0o700, 0o600));
        fixture.run().assert(1, "", &expected::out_of_order(Family::V4)).assert_wrote(&[]);
        fixture.reflector.says(Family::V4, "192.175.48.7");
        fixture.run().assert_silent().assert_wrote(&[&format!("- {file}")]);
        assert_eq!(published_kinds(&fixture), "alert, recovery");
    }
}

#[test]
fn two_configs_of_one_name_without_lock_are_rejected() {
    let fixture = without_lock();
    fixture.reflector.says(Family::V4, "192.175.48.7");
    let mut config = fixture.config();
    config["dns_name"] = "HOME.example.com.".into();
    let first = fixture.sandbox.path("autodns.json");
    let second = fixture.write_config("second.json", &config);
    let said = format!(
        "autodns: {{home}}/autodns.json, {{home}}/second.json: all have the same alert_lock, \
         {{home}}/.local/state/autodns/{}; give each its own\n",
        default_lock_name()
    );
    fixture.assert_untouched(fixture.run_args(&[&first, &second]).assert(2, "", &said));
    // A config of other names has its own lock.
    config["dns_name"] = "host.example.com".into();
    fixture.write_config("second.json", &config);
    fixture.run_args(&[&first, &second]).assert_silent().assert_wrote(&[]);
}

#[test]
fn first_of_several_state_directories_is_used() {
    let mut fixture = without_lock();
    let list = format!("{}:{}", fixture.sandbox.path("one"), fixture.sandbox.path("two"));
    fixture.sandbox.set("STATE_DIRECTORY", list);
    fixture.run().assert_wrote(&["+ one", &format!("+ one/{}", default_lock_name())]);
}

#[test]
fn alert_without_a_writable_state_folder_repeats() {
    for home in [None, Some("relative")] {
        let mut fixture = without_lock();
        fixture.sandbox.unset("HOME");
        if let Some(home) = home {
            fixture.sandbox.set("HOME", home);
        }
        let why = "alert_lock is not set, and none of HOME, XDG_STATE_HOME and STATE_DIRECTORY \
                   gives a folder for it; every failing run repeats the alert until this is fixed";
        let said =
            expected::out_of_order(Family::V4) + &format!("autodns: home.example.com: {why}\n");
        for count in 1..=2 {
            fixture.run().assert(1, "", &said).assert_wrote(&[]);
            let published = fixture.aws.published();
            assert_eq!(published.len(), count);
            let end = format!("\n\nThis message repeats: {why}.\n");
            assert!(published[count - 1].message.ends_with(&end));
        }
        fixture.reflector.says(Family::V4, "192.175.48.7");
        fixture.run().assert_silent().assert_wrote(&[]);
    }
}

#[test]
fn state_folder_that_cannot_be_made_does_not_stop_the_alert() {
    let mut fixture = without_lock();
    let state = fixture.sandbox.path("precious/state");
    fixture.sandbox.set("STATE_DIRECTORY", state);
    let why = format!(
        "precious/state/{} cannot be read: Not a directory (os error 20)",
        default_lock_name()
    );
    assert_alert_repeats(&fixture, &why);
}

#[test]
fn lock_is_valid_after_its_config_has_moved() {
    let fixture = failing(|_| {});
    for version in ["one", "two"] {
        fixture.write_config(&format!("{version}/autodns.json"), &fixture.config());
    }
    let link = |version: &str| {
        drop(fs::remove_file(fixture.sandbox.path("current")));
        symlink(fixture.sandbox.path(version), fixture.sandbox.path("current")).expect("a symlink");
    };
    let config = fixture.sandbox.path("current/autodns.json");
    link("one");
    let said = expected::out_of_order(Family::V4);
    fixture.run_args(&[&config]).assert(1, "", &said).assert_wrote(&["+ autodns.lock"]);
    link("two");
    fixture.run_args(&[&config]).assert(1, "", &said).assert_wrote(&[]);
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture.run_args(&[&config]).assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(published_kinds(&fixture), "alert, recovery");
}

#[test]
fn lock_of_another_name_or_zone_suppresses_no_alert() {
    for key in ["dns_name", "hosted_zone_id"] {
        let mut fixture = failing(|_| {});
        fixture.run().assert_wrote(&["+ autodns.lock"]);
        let value = if key == "dns_name" { "host.example.com" } else { "ZOTHERZONE" };
        fixture.configure(|config| config[key] = value.into());
        // The failure of the other name sends one alert.
        let run = fixture.run();
        run.assert_wrote(&["~ autodns.lock"]);
        assert!(!run.stderr.contains("alert_lock"), "{run:?}");
        fixture.run().assert_wrote(&[]);
        assert_eq!(published_kinds(&fixture), "alert, alert");
    }
}

#[test]
fn lock_is_valid_after_record_types_change() {
    let mut fixture = without_lock();
    fixture.configure(|config| config["record_types"] = serde_json::json!(["A", "AAAA"]));
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture.reflector.fails(Family::V6);
    assert_eq!(fixture.run().status.code(), Some(1));
    fixture.remove_from_config("record_types");
    fixture.run().assert_silent();
    assert_eq!(published_kinds(&fixture), "alert, recovery");
}

#[test]
fn lock_of_an_earlier_version_is_valid() {
    let fixture = failing(|fixture| drop(fixture.sandbox.write(LOCK, lock_of(fixture))));
    fixture.run().assert(1, "", &expected::out_of_order(Family::V4)).assert_wrote(&[]);
    fixture.reflector.says(Family::V4, "192.175.48.7");
    fixture.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(published_kinds(&fixture), "recovery");
}

#[test]
fn relative_lock_is_resolved_from_the_folder_of_its_config() {
    let mut fixture = failing(|_| {});
    fixture.configure(|config| config["alert_lock"] = "state/../alert.lock".into());
    fs::create_dir_all(fixture.sandbox.path("etc/state")).expect("a directory");
    let text = fixture.sandbox.read("autodns.json").expect("the config");
    fixture.sandbox.write("etc/real.json", text);
    // The working directory is the home. If the config is a link, the folder is that of the link.
    fs::create_dir_all(fixture.sandbox.path("links/state")).expect("a directory");
    symlink("../etc/real.json", fixture.sandbox.path("links/autodns.json")).expect("a symlink");
    for (argument, lock) in
        [("etc/real.json", "+ etc/alert.lock"), ("links/autodns.json", "+ links/alert.lock")]
    {
        fixture.run_args(&[argument]).assert_wrote(&[lock]);
        let path = fixture.sandbox.path(argument);
        fixture.run_args(&[&path]).assert_wrote(&[]);
    }
    fixture.configure(|config| config["alert_lock"] = "beside.lock".into());
    fixture.run_args(&["autodns.json"]).assert_wrote(&["+ beside.lock"]);
}

#[test]
fn lock_is_readable_by_its_owner_under_any_umask() {
    let mut fixture = without_lock();
    fixture.sandbox.umask("0777");
    fixture.run().assert(1, "", &expected::out_of_order(Family::V4));
    for (name, expected) in [
        (".local", 0o700),
        (".local/state", 0o700),
        (".local/state/autodns", 0o700),
        (&format!(".local/state/autodns/{}", default_lock_name()), 0o600),
    ] {
        let metadata = fs::metadata(fixture.sandbox.path(name)).expect("it is there");
        assert_eq!(metadata.mode() & 0o7777, expected, "{name}");
    }
}

#[test]
fn lock_with_the_longest_name_is_written_and_removed() {
    for length in [246, 247, 255] {
        let name = "l".repeat(length);
        let mut fixture = failing(|_| {});
        let lock = fixture.sandbox.path(&name);
        fixture.configure(|config| config["alert_lock"] = lock.into());
        let said = expected::out_of_order(Family::V4);
        fixture.run().assert(1, "", &said).assert_wrote(&[&format!("+ {name}")]);
        fixture.run().assert(1, "", &said).assert_wrote(&[]);
        fixture.reflector.says(Family::V4, "192.175.48.7");
        fixture.run().assert_silent().assert_wrote(&[&format!("- {name}")]);
        assert_eq!(published_kinds(&fixture), "alert, recovery");
    }
}
