//! A machine with a wrong clock, as on a Pi after a power cut. The program corrects the time of the
//! signature by AWS's time, only in memory and once per request. It reports the clock if that is
//! not possible.

use std::process::Command;

use time::Duration;

use crate::support::clock;
use crate::support::expected::{LIST_FAILED, PUBLISH_FAILED, out_of_order};
use crate::support::fake_aws::Operation::{Change, List, Publish};
use crate::support::fake_aws::{DateHeader, Fault, TOPIC};
use crate::support::fixture::Fixture;
use crate::support::http::Family;

/// A fixture whose AWS clock is this far ahead of this machine's.
fn ahead(by: Duration) -> Fixture {
    let fixture = Fixture::new();
    fixture.aws.state().ahead = by;
    fixture
}

fn rejected_requests(fixture: &Fixture) -> usize {
    fixture.aws.server().requests().len() - fixture.aws.operations().len()
}

#[test]
fn wrong_clock_is_corrected_with_one_more_request() {
    for by in [Duration::minutes(10), Duration::days(400), -Duration::minutes(10)] {
        let mut fixture = ahead(by);
        // The new signature does not count as an attempt.
        fixture.sandbox.set("AWS_MAX_ATTEMPTS", "1");
        fixture.run().assert_silent().assert_wrote(&[]);
        assert_eq!(fixture.aws.operations(), [List, Change]);
        // The change uses the correction of the list.
        assert_eq!(rejected_requests(&fixture), 1, "{by}");
        assert_eq!(fixture.aws.record_sets()[0], "home.example.com. A 300 192.175.48.7");
    }
}

#[test]
fn clock_within_five_minutes_is_not_corrected() {
    for by in [Duration::minutes(4), -Duration::minutes(4)] {
        let fixture = ahead(by);
        fixture.run().assert_silent();
        assert_eq!(
            (fixture.aws.operations(), rejected_requests(&fixture)),
            (vec![List, Change], 0)
        );
    }
}

#[test]
fn alert_is_sent_with_a_wrong_clock() {
    let fixture = ahead(Duration::minutes(-90));
    fixture.reflector.fails(Family::V4);
    fixture.run().assert(1, "", &out_of_order(Family::V4)).assert_wrote(&["+ autodns.lock"]);
    assert_eq!(fixture.aws.operations(), [List, Publish]);
    assert_eq!(fixture.aws.published()[0].topic, TOPIC);
}

#[test]
fn verbose_prints_how_far_the_clock_is_off() {
    for (by, off) in [(Duration::hours(2), "hours slow"), (-Duration::hours(50), "hours fast")] {
        let fixture = ahead(by);
        let run = fixture.run_with(&["--verbose"]);
        let line = run.stderr.lines().find(|line| line.contains("clock")).expect("a line");
        assert!(line.starts_with("autodns: this machine's clock is "), "{line}");
        assert!(line.ends_with("; signing again with AWS's time"), "{line}");
        // The last second may round up to the next unit.
        let about =
            ["1 hour 59 minutes slow", "2 hours slow", "2 days 1 hour fast", "2 days 2 hours fast"];
        assert!(about.iter().any(|about| line.contains(about)), "{off}: {line}");
        assert_eq!(run.status.code(), Some(0));
    }
}

#[test]
fn clock_that_cannot_be_corrected_is_reported() {
    let rejection = "SignatureDoesNotMatch: Signature expired: {stamp} is now earlier than {stamp} \
                     ({stamp} - 5 min.)";
    let known = format!(
        "{LIST_FAILED}{rejection}, and this machine's clock is 20 minutes slow; set the clock \
         (timedatectl shows it)\n"
    );
    let unknown = format!(
        "{LIST_FAILED}{rejection}; check this machine's clock (timedatectl shows it): the response \
         does not show AWS's time\n"
    );
    let right = format!(
        "{LIST_FAILED}{rejection}, although this machine's clock is right; check what delays \
         requests on their way (a proxy, a slow connection)\n"
    );
    for (date, requests, said) in [
        (DateHeader::None, 1, &unknown),
        (DateHeader::Aged, 1, &unknown),
        // The Date header is within five minutes, so this machine's clock is not the cause.
        (DateHeader::Off(-Duration::minutes(30)), 1, &right),
        // The Date header is wrong, so the corrected signature is rejected again.
        (DateHeader::Off(-Duration::minutes(10)), 2, &known),
    ] {
        let mut fixture = ahead(Duration::minutes(30));
        fixture.remove_from_config("topic_arn");
        fixture.aws.state().date = date;
        let run = fixture.run_with(&["--dry-run"]);
        let seen =
            clock::with_placeholders(&run.stderr).replace("19 minutes 59 {seconds}", "20 minutes");
        assert_eq!((run.status.code(), seen.as_str()), (Some(1), said.as_str()), "{date:?}");
        assert_eq!(fixture.aws.server().requests().len(), requests, "{date:?}");
    }
}

#[test]
fn late_request_does_not_blame_a_right_clock() {
    for (date, advice) in [
        (
            DateHeader::Right,
            ", although this machine's clock is right; check what delays requests on their way (a \
             proxy, a slow connection)\n",
        ),
        (
            DateHeader::None,
            "; check this machine's clock (timedatectl shows it): the response does not show AWS's \
             time\n",
        ),
    ] {
        let mut fixture = Fixture::new();
        fixture.remove_from_config("topic_arn");
        fixture.aws.state().date = date;
        for code in ["RequestExpired", "RequestTimeTooSkewed"] {
            fixture.aws.always(List, Fault::error(400, code, "Request has expired."));
            let said = format!("{LIST_FAILED}{code}: Request has expired{advice}");
            fixture.run().assert(1, "", &said);
        }
    }
}

#[test]
fn wrong_secret_is_reported_even_with_a_wrong_clock() {
    let mut fixture = ahead(Duration::minutes(10));
    fixture.sandbox.set("AWS_SECRET_ACCESS_KEY", "some/other/secret/that/is/wrong");
    fixture.sandbox.secret("some/other/secret/that/is/wrong");
    fixture.remove_from_config("topic_arn");
    fixture.run().assert(
        1,
        "",
        &format!(
            "{LIST_FAILED}SignatureDoesNotMatch: The request signature we calculated does not \
             match the signature you provided. Check your AWS Secret Access Key and signing \
             method. Consult the service documentation for details; check the secret access key \
             from the environment, which wins over every file\n"
        ),
    );
    assert_eq!(fixture.aws.server().requests().len(), 2);
}

/// A C library whose clock is in the year 33658.
const FAR_CLOCK: &str = "\
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (clock == CLOCK_REALTIME) time->tv_sec = 999999999999;
    return result;
}
";

#[test]
fn clock_after_the_year_9999_is_reported() {
    let mut fixture = Fixture::new();
    let (source, library) =
        (fixture.sandbox.write("clock.c", FAR_CLOCK), fixture.sandbox.path("clock.so"));
    // `cc` is installed, since it linked this test.
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", &library, &source])
        .status()
        .expect("cc");
    assert!(made.success());
    fixture.sandbox.set("LD_PRELOAD", library);
    let clock =
        "this machine's clock is beyond the year 9999; set the clock (timedatectl shows it)\n";
    let said = format!("{LIST_FAILED}{clock}{PUBLISH_FAILED}{clock}");
    let run = fixture.run();
    run.assert_wrote(&[]);
    assert_eq!(run.status.code(), Some(1));
    // The reflector's certificate has expired at that time.
    assert!(run.stderr.ends_with(&said), "{run:?}");
    assert_eq!(fixture.aws.server().connections(), 0);
}
