//! Where the lock is, whose it is, and what may be in its place or beside it that is no lock of
//! ours: it is never followed, waited for, written to or removed; the alert goes out all the same,
//! and each time, and says why.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use crate::support::assert_text;
use crate::support::aws::Call::Publish;
use crate::support::aws::Fault;
use crate::support::http::{Answer, Family, Reply};
use crate::support::scene::Scene;
use crate::support::words;

const LOCK: &str = "autodns.lock";
const PENDING: &str = ".autodns.lock.pending";

/// A scene whose reflector fails over IPv4, with something in the place of a file.
fn broken(make: impl FnOnce(&mut Scene)) -> Scene {
    let mut scene = Scene::new();
    scene.sandbox.write("precious", "precious content");
    make(&mut scene);
    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    scene
}

fn fifo(scene: &Scene, name: &str) {
    let status = Command::new("mkfifo").arg(scene.sandbox.path(name)).status();
    assert!(status.expect("mkfifo runs").success());
}

/// The text of a lock of the usual config.
fn lock_of(scene: &Scene) -> String {
    let config = scene.sandbox.path("autodns.json");
    format!("{{\"config\":\"{config}\",\"since\":\"2026-01-02T03:04:05Z\"}}\n")
}

/// Two runs alert twice and say why; a third, when all is well, has nothing to withdraw. Not a file
/// changes.
#[track_caller]
fn assert_repeats(scene: &Scene, why: &str) {
    let why = format!(
        "alert_lock {{home}}/{why}; the alert will repeat at every failing run until that is mended"
    );
    let said = format!("autodns: home.example.com: {why}\n");
    for count in 1..=2 {
        let stderr = words::out_of_order(Family::V4) + &said;
        scene.run().assert(1, "", &stderr).assert_wrote(&[]);
        let published = scene.aws.published();
        assert_eq!(published.len(), count);
        let message = scene.sandbox.neutral(&published[count - 1].message);
        let end = format!("\n\nThis message repeats: {why}.\n");
        assert!(message.ends_with(&end), "{message}");
    }
    scene.reflector.says(Family::V4, "192.175.48.7");
    scene.run().assert_silent().assert_wrote(&[]);
    assert_eq!(scene.aws.published().len(), 2);
}

#[test]
fn a_pipe_or_a_device_is_neither_waited_for_nor_read() {
    let scene = broken(|scene| fifo(scene, LOCK));
    assert_repeats(&scene, "autodns.lock is no regular file");
    let scene = broken(|scene| scene.sandbox.put("/dev/zero", LOCK));
    assert_repeats(&scene, "autodns.lock is no regular file");
}

#[test]
fn what_another_user_laid_there_silences_nothing() {
    for content in ["", "a lock"] {
        let scene = broken(|scene| {
            let content = if content.is_empty() { String::new() } else { lock_of(scene) };
            scene.sandbox.foreign(LOCK, &content);
        });
        assert_repeats(&scene, "autodns.lock belongs to another user (uid 65534)");
    }
}

#[test]
fn a_hard_link_to_another_file_leaves_that_file_alone() {
    let link = |scene: &Scene, to: &str| {
        fs::hard_link(scene.sandbox.path(to), scene.sandbox.path(LOCK)).expect("a hard link");
    };
    let scene = broken(|scene| link(scene, "precious"));
    assert_repeats(&scene, "autodns.lock is a file that autodns did not write");
    assert_eq!(scene.sandbox.read("precious").as_deref(), Some("precious content"));
    let metadata = fs::metadata(scene.sandbox.path("precious")).expect("the file");
    assert_eq!(metadata.nlink(), 2);

    // One that has been a lock by its content is one; only this name of it goes.
    for empty in [false, true] {
        let content = |scene: &Scene| if empty { String::new() } else { lock_of(scene) };
        let scene = broken(|scene| {
            scene.sandbox.write("backup", content(scene));
            link(scene, "backup");
        });
        scene.run().assert(1, "", &words::out_of_order(Family::V4)).assert_wrote(&[]);
        scene.reflector.says(Family::V4, "192.175.48.7");
        scene.run().assert_silent().assert_wrote(&["- autodns.lock"]);
        assert_eq!(scene.sandbox.read("backup"), Some(content(&scene)));
        assert_eq!(scene.aws.published().len(), 1);
    }
}

/// Something that gets in the way, and what is said of it.
type Obstacle = (fn(&mut Scene), &'static str);

/// What may be where the lock is prepared.
fn in_the_way() -> Vec<Obstacle> {
    fn link(scene: &Scene, to: &str) {
        symlink(scene.sandbox.path(to), scene.sandbox.path(PENDING)).expect("a symlink");
    }
    vec![
        (
            |scene| link(scene, "precious"),
            ".autodns.lock.pending is a symbolic link, which is never followed",
        ),
        (
            |scene| link(scene, "not-there"),
            ".autodns.lock.pending is a symbolic link, which is never followed",
        ),
        (
            |scene| fs::create_dir(scene.sandbox.path(PENDING)).expect("a directory"),
            ".autodns.lock.pending is a directory",
        ),
        (|scene| fifo(scene, PENDING), ".autodns.lock.pending is no regular file"),
        (
            |scene| scene.sandbox.foreign(PENDING, &lock_of(scene)),
            ".autodns.lock.pending belongs to another user (uid 65534)",
        ),
        (
            |scene| drop(scene.sandbox.write(PENDING, "my notes\n")),
            ".autodns.lock.pending is a file that autodns did not write",
        ),
    ]
}

#[test]
fn what_is_in_the_way_of_preparing_the_lock_stays() {
    for (make, why) in in_the_way() {
        let scene = broken(make);
        assert_repeats(&scene, why);
        assert_eq!(scene.sandbox.read("precious").as_deref(), Some("precious content"));
        assert!(!scene.sandbox.exists("not-there"));
    }
}

#[test]
fn what_is_in_the_way_of_withdrawing_stays_and_the_lock_goes() {
    for (make, _) in in_the_way() {
        let mut scene = broken(|_| {});
        scene.run().assert_wrote(&["+ autodns.lock"]);
        scene.reflector.says(Family::V4, "192.175.48.7");
        make(&mut scene);
        scene.run().assert_silent().assert_wrote(&["- autodns.lock"]);
        assert_eq!(scene.aws.published().len(), 2);
        scene.run().assert_silent().assert_wrote(&[]);
        assert_eq!(scene.aws.published().len(), 2);
        assert_eq!(scene.sandbox.read("precious").as_deref(), Some("precious content"));
        assert!(!scene.sandbox.exists("not-there"));
    }
}

#[test]
fn recovery_message_is_kept_beside_a_foreign_file() {
    let mut scene = broken(|_| {});
    scene.sandbox.set("AWS_MAX_ATTEMPTS", "1");
    scene.run().assert_wrote(&["+ autodns.lock"]);
    scene.sandbox.foreign(PENDING, "");
    scene.reflector.says(Family::V4, "192.175.48.7");
    // It arrived, and nobody knows: the lock is marked, and stays.
    scene.aws.fault(Publish, Fault::After(Reply::reset()));
    let run = scene.run();
    assert_eq!(run.status.code(), Some(0));
    run.assert_wrote(&["~ autodns.lock"]);
    // So the next outage is a new one.
    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    let run = scene.run();
    assert!(run.stderr.contains("the alert will repeat"), "{run:?}");
    scene.reflector.says(Family::V4, "192.175.48.7");
    scene.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(heard(&scene), "alert, recovery, alert, recovery");
}

/// Which messages were published, in their order.
fn heard(scene: &Scene) -> String {
    let kind = |subject: &str| if subject.contains(" not ") { "alert" } else { "recovery" };
    let published = scene.aws.published();
    published.iter().map(|message| kind(&message.subject)).collect::<Vec<_>>().join(", ")
}

/// A file system that can be written, and every pair of what may be in the lock's place (rows) and
/// beside it (columns): what is published in two failing and two good runs, and in a failing one
/// after them.
#[test]
fn every_lock_beside_every_file_silences_what_it_may() {
    assert_text(
        &played_all(
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

/// The same where nothing can be written any more.
#[test]
fn on_a_read_only_file_system_no_lock_silences() {
    assert_text(
        &played_all(true, &["absent", "ours", "empty", "foreign"], &["absent", "ours", "foreign"]),
        "absent  | A!A!--A! | A!A!-!-!A! | A!A!--A!\n\
         ours    | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A!\n\
         empty   | A!A!-!-!A! | A!A!-!-!A! | A!A!-!-!A!\n\
         foreign | A!A!--A! | A!A!-!-!A! | A!A!--A!\n",
    );
}

/// A line for each lock, with a cell for each file beside it.
fn played_all(read_only: bool, locks: &[&str], besides: &[&str]) -> String {
    let mut table = String::new();
    for lock in locks {
        let mut cells = Vec::new();
        for beside in besides {
            let mut scene = Scene::new();
            scene.sandbox.write("precious", "precious content");
            fs::create_dir(scene.sandbox.path("disk")).expect("a directory");
            let path = scene.sandbox.path("disk/autodns.lock");
            scene.configure(|config| config["alert_lock"] = path.into());
            put(&mut scene, lock, "disk/autodns.lock");
            put(&mut scene, beside, "disk/.autodns.lock.pending");
            if read_only {
                scene.sandbox.read_only("disk");
            }
            cells.push(played(&scene));
            assert_eq!(scene.sandbox.read("precious").as_deref(), Some("precious content"));
        }
        table += &format!("{lock:7} | {}\n", cells.join(" | "));
    }
    table
}

/// Puts something in a place.
fn put(scene: &mut Scene, what: &str, name: &str) {
    match what {
        "ours" => drop(scene.sandbox.write(name, lock_of(scene))),
        "pinned" => {
            scene.sandbox.write(name, lock_of(scene));
            scene.sandbox.pin(name);
        }
        "empty" => drop(scene.sandbox.write(name, "")),
        "foreign" => {
            let content = lock_of(scene);
            scene.sandbox.foreign(name, &content);
        }
        "notes" => drop(scene.sandbox.write(name, "my notes\n")),
        "directory" => fs::create_dir(scene.sandbox.path(name)).expect("a directory"),
        "link" => {
            let target = scene.sandbox.path("precious");
            symlink(target, scene.sandbox.path(name)).expect("a symlink");
        }
        _ => {}
    }
}

/// What is published in two failing runs, two good ones, and a failing one: an alert (A), the
/// message of recovery (R), nothing (-); and whether something is said of the lock (!). A good run
/// exits with 0 whatever is said.
fn played(scene: &Scene) -> String {
    let mut said = String::new();
    for good in [false, false, true, true, false] {
        if good {
            scene.reflector.says(Family::V4, "192.175.48.7");
        } else {
            scene.reflector.replies(Family::V4, Answer::text("out of order"));
        }
        let before = scene.aws.published().len();
        let run = scene.run();
        assert_eq!(run.status.code(), Some(i32::from(!good)), "{run:?}");
        let published = scene.aws.published();
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
fn an_empty_lock_goes_from_a_full_disk_too() {
    let mut scene = Scene::new();
    fs::create_dir(scene.sandbox.path("full")).expect("a directory");
    scene.sandbox.full("full");
    scene.sandbox.touch("full/autodns.lock");
    let lock = scene.sandbox.path("full/autodns.lock");
    scene.configure(|config| config["alert_lock"] = lock.into());
    // Where it cannot be removed that is said, and this is not.
    scene.run().assert_silent();
    assert_eq!(heard(&scene), "recovery");
    // It counts, for it can be removed.
    scene.reflector.replies(Family::V4, Answer::text("out of order"));
    scene.run().assert(1, "", &words::out_of_order(Family::V4));
    assert_eq!(heard(&scene), "recovery");
}

/// A scene whose configuration names no lock.
fn unnamed() -> Scene {
    let mut scene = broken(|_| {});
    scene.without("alert_lock");
    scene
}

/// The name of the lock's file in a folder of autodns's own.
fn own_name() -> String {
    format!("home.example.com-{DIGEST}.lock")
}

const DIGEST: &str = "49bd41e7b8c478144421bf1d5da247b5";

#[test]
fn lock_is_in_the_state_folder_when_none_is_named() {
    let state = |scene: &Scene, name: &str| scene.sandbox.path(name);
    for (variables, folder) in [
        (&[][..], ".local/state/autodns"),
        (&[("XDG_STATE_HOME", "xdg")][..], "xdg/autodns"),
        (&[("XDG_STATE_HOME", "xdg"), ("STATE_DIRECTORY", "one")][..], "one"),
    ] {
        let mut scene = unnamed();
        for (name, value) in variables {
            let value = state(&scene, value);
            scene.sandbox.set(name, value);
        }
        scene.reflector.says(Family::V4, "192.175.48.7");
        scene.run().assert_silent().assert_wrote(&[]);
        scene.reflector.replies(Family::V4, Answer::text("out of order"));
        let file = format!("{folder}/{}", own_name());
        // The folders, from the outermost, and the file.
        let paths: Vec<String> = file
            .match_indices('/')
            .map(|(end, _)| format!("+ {}", &file[..end]))
            .chain([format!("+ {file}")])
            .collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        scene.run().assert(1, "", &words::out_of_order(Family::V4)).assert_wrote(&paths);
        let mode = |name: &str| {
            let metadata = fs::metadata(scene.sandbox.path(name)).expect("it is there");
            metadata.mode() & 0o7777
        };
        assert_eq!((mode(folder), mode(&file)), (0o700, 0o600));
        scene.run().assert(1, "", &words::out_of_order(Family::V4)).assert_wrote(&[]);
        scene.reflector.says(Family::V4, "192.175.48.7");
        scene.run().assert_silent().assert_wrote(&[&format!("- {file}")]);
        assert_eq!(heard(&scene), "alert, recovery");
    }
}

#[test]
fn two_configs_of_the_same_names_share_no_unnamed_lock() {
    let scene = unnamed();
    scene.reflector.says(Family::V4, "192.175.48.7");
    let mut config = scene.config();
    config["dns_name"] = "HOME.example.com.".into();
    let first = scene.sandbox.path("autodns.json");
    let second = scene.write_config("second.json", &config);
    let said = format!(
        "autodns: {{home}}/autodns.json, {{home}}/second.json: have the same alert_lock, \
         {{home}}/.local/state/autodns/{}; give each its own\n",
        own_name()
    );
    scene.assert_untouched(scene.run_args(&[&first, &second]).assert(2, "", &said));
    // Other names have a lock of their own.
    config["dns_name"] = "host.example.com".into();
    scene.write_config("second.json", &config);
    scene.run_args(&[&first, &second]).assert_silent().assert_wrote(&[]);
}

#[test]
fn first_of_several_state_directories_is_taken() {
    let mut scene = unnamed();
    let list = format!("{}:{}", scene.sandbox.path("one"), scene.sandbox.path("two"));
    scene.sandbox.set("STATE_DIRECTORY", list);
    scene.run().assert_wrote(&["+ one", &format!("+ one/{}", own_name())]);
}

#[test]
fn alert_without_a_place_for_its_lock_repeats() {
    for home in [None, Some("relative")] {
        let mut scene = unnamed();
        scene.sandbox.unset("HOME");
        if let Some(home) = home {
            scene.sandbox.set("HOME", home);
        }
        let why = "alert_lock is not set, and no HOME, XDG_STATE_HOME or STATE_DIRECTORY says \
                   where to keep one; the alert will repeat at every failing run until that is \
                   mended";
        let said = words::out_of_order(Family::V4) + &format!("autodns: home.example.com: {why}\n");
        for count in 1..=2 {
            scene.run().assert(1, "", &said).assert_wrote(&[]);
            let published = scene.aws.published();
            assert_eq!(published.len(), count);
            let end = format!("\n\nThis message repeats: {why}.\n");
            assert!(published[count - 1].message.ends_with(&end));
        }
        scene.reflector.says(Family::V4, "192.175.48.7");
        scene.run().assert_silent().assert_wrote(&[]);
    }
}

#[test]
fn state_folder_that_cannot_be_made_lets_the_alert_out() {
    let mut scene = unnamed();
    let state = scene.sandbox.path("precious/state");
    scene.sandbox.set("STATE_DIRECTORY", state);
    let why =
        format!("precious/state/{} cannot be read: Not a directory (os error 20)", own_name());
    assert_repeats(&scene, &why);
}

#[test]
fn lock_belongs_to_zone_and_names_wherever_the_config_is() {
    let scene = broken(|_| {});
    for version in ["one", "two"] {
        scene.write_config(&format!("{version}/autodns.json"), &scene.config());
    }
    let link = |version: &str| {
        drop(fs::remove_file(scene.sandbox.path("current")));
        symlink(scene.sandbox.path(version), scene.sandbox.path("current")).expect("a symlink");
    };
    let config = scene.sandbox.path("current/autodns.json");
    link("one");
    let said = words::out_of_order(Family::V4);
    scene.run_args(&[&config]).assert(1, "", &said).assert_wrote(&["+ autodns.lock"]);
    link("two");
    scene.run_args(&[&config]).assert(1, "", &said).assert_wrote(&[]);
    scene.reflector.says(Family::V4, "192.175.48.7");
    scene.run_args(&[&config]).assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(heard(&scene), "alert, recovery");
}

#[test]
fn lock_of_other_names_at_the_same_path_silences_nothing() {
    for key in ["dns_name", "hosted_zone_id"] {
        let mut scene = broken(|_| {});
        scene.run().assert_wrote(&["+ autodns.lock"]);
        let value = if key == "dns_name" { "host.example.com" } else { "ZOTHERZONE" };
        scene.configure(|config| config[key] = value.into());
        // A new outage, alerted once.
        let run = scene.run();
        run.assert_wrote(&["~ autodns.lock"]);
        assert!(!run.stderr.contains("alert_lock"), "{run:?}");
        scene.run().assert_wrote(&[]);
        assert_eq!(heard(&scene), "alert, alert");
    }
}

#[test]
fn lock_outlives_a_change_of_the_record_types() {
    let mut scene = unnamed();
    scene.configure(|config| config["record_types"] = serde_json::json!(["A", "AAAA"]));
    scene.reflector.says(Family::V4, "192.175.48.7");
    scene.reflector.replies(Family::V6, Answer::text("out of order"));
    assert_eq!(scene.run().status.code(), Some(1));
    scene.without("record_types");
    scene.run().assert_silent();
    assert_eq!(heard(&scene), "alert, recovery");
}

#[test]
fn lock_of_an_earlier_version_counts_by_its_config() {
    let scene = broken(|scene| drop(scene.sandbox.write(LOCK, lock_of(scene))));
    scene.run().assert(1, "", &words::out_of_order(Family::V4)).assert_wrote(&[]);
    scene.reflector.says(Family::V4, "192.175.48.7");
    scene.run().assert_silent().assert_wrote(&["- autodns.lock"]);
    assert_eq!(heard(&scene), "recovery");
}

#[test]
fn relative_lock_is_in_the_folder_of_its_config() {
    let mut scene = broken(|_| {});
    scene.configure(|config| config["alert_lock"] = "state/../alert.lock".into());
    fs::create_dir_all(scene.sandbox.path("etc/state")).expect("a directory");
    let text = scene.sandbox.read("autodns.json").expect("the config");
    scene.sandbox.write("etc/real.json", text);
    // The program's working directory is the home. A link to a configuration counts where it is.
    fs::create_dir_all(scene.sandbox.path("links/state")).expect("a directory");
    symlink("../etc/real.json", scene.sandbox.path("links/autodns.json")).expect("a symlink");
    for (argument, lock) in
        [("etc/real.json", "+ etc/alert.lock"), ("links/autodns.json", "+ links/alert.lock")]
    {
        scene.run_args(&[argument]).assert_wrote(&[lock]);
        let path = scene.sandbox.path(argument);
        scene.run_args(&[&path]).assert_wrote(&[]);
    }
    scene.configure(|config| config["alert_lock"] = "beside.lock".into());
    scene.run_args(&["autodns.json"]).assert_wrote(&["+ beside.lock"]);
}

#[test]
fn umask_leaves_the_lock_readable_for_its_owner() {
    let mut scene = unnamed();
    scene.sandbox.umask("0777");
    scene.run().assert(1, "", &words::out_of_order(Family::V4));
    for (name, expected) in [
        (".local", 0o700),
        (".local/state", 0o700),
        (".local/state/autodns", 0o700),
        (&format!(".local/state/autodns/{}", own_name()), 0o600),
    ] {
        let metadata = fs::metadata(scene.sandbox.path(name)).expect("it is there");
        assert_eq!(metadata.mode() & 0o7777, expected, "{name}");
    }
}

#[test]
fn lock_with_the_longest_name_is_kept_and_withdrawn() {
    for length in [246, 247, 255] {
        let name = "l".repeat(length);
        let mut scene = broken(|_| {});
        let lock = scene.sandbox.path(&name);
        scene.configure(|config| config["alert_lock"] = lock.into());
        let said = words::out_of_order(Family::V4);
        scene.run().assert(1, "", &said).assert_wrote(&[&format!("+ {name}")]);
        scene.run().assert(1, "", &said).assert_wrote(&[]);
        scene.reflector.says(Family::V4, "192.175.48.7");
        scene.run().assert_silent().assert_wrote(&[&format!("- {name}")]);
        assert_eq!(heard(&scene), "alert, recovery");
    }
}
