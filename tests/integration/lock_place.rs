//! What may be in the place of the lock, or beside it where it is prepared, that is no lock of
//! ours: it is never followed, waited for, written to or removed; the alert goes out all the same,
//! and each time, and says why.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

use crate::support::http::{Answer, Family};
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
fn what_is_in_the_way_of_withdrawing_the_lock_stays_and_so_does_the_lock() {
    for (make, why) in in_the_way() {
        let mut scene = broken(|_| {});
        scene.run().assert_wrote(&["+ autodns.lock"]);
        scene.reflector.says(Family::V4, "192.175.48.7");
        make(&mut scene);
        let said = format!(
            "autodns: home.example.com: alert_lock {{home}}/{why}; while it is there no alert is \
             sent: remove it\n"
        );
        for _ in 0..2 {
            scene.run().assert(0, "", &said).assert_wrote(&[]);
        }
        assert_eq!(scene.aws.published().len(), 1);
        assert_eq!(scene.sandbox.read("precious").as_deref(), Some("precious content"));
        assert!(!scene.sandbox.exists("not-there"));
    }
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
    assert_eq!(scene.aws.published().len(), 1);
}
