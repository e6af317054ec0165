//! Checks of `credentials::ini` and `credentials::process`: files and programs with secrets.

use std::time::{Duration, SystemTime};

use autodns::parts::process;
use autodns::parts::{Ini, Repeated};
use serde_json::Value;

/// The sections and keys that the program reads.
const SECTIONS: &[&str] = &["default", "profile dev", "Credentials", "services local"];
const KEYS: &[&str] = &[
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "credential_process",
    "role_arn",
    "endpoint_url",
    "services",
    "route_53.endpoint_url",
];

/// An error quotes no input. A value is in the file, and is the same after it is written and read
/// again. The rules of botocore and of boto 2 read the same values.
pub fn ini(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let merged = Ini::parse(text, Repeated::Merged);
    let ini = match Ini::parse(text, Repeated::Refused) {
        Ok(ini) => ini,
        Err(error) => {
            let problem = error.to_string();
            let line = problem.split([' ', ':']).nth(1).and_then(|line| line.parse::<usize>().ok());
            assert!(line.is_some_and(|line| (1..=text.lines().count()).contains(&line)));
            return super::assert_is_one_of(
                &problem,
                &[
                    "line #: a section lacks its ]",
                    "line #: a section without a name",
                    "line #: a key before any section; write the header of its section above it, \
                     such as [default]",
                    "line #: expected KEY = VALUE, found no =",
                    "line #: expected KEY = VALUE, found no key",
                    "line #: line # has this section already; remove one of the two",
                    "line #: line # has this key already; remove one of the two",
                ],
            );
        }
    };
    let merged = merged.expect("boto 2 accepts what botocore accepts");
    for section in SECTIONS {
        for key in KEYS {
            let found = ini.get(section, key);
            assert_eq!(found, merged.get(section, key), "read by boto's rules");
            let Some(value) = found else { continue };
            assert!(!value.trim().is_empty());
            for line in value.lines() {
                assert!(text.contains(line), "a value that the file does not have");
            }
            let written = format!("[{section}]\n{key}={}\n", value.replace('\n', "\n  "));
            let read = Ini::parse(&written, Repeated::Refused).expect("the written file is valid");
            assert_eq!(read.get(section, key), Some(value), "written again");
        }
    }
}

/// An error quotes no input. Accepted credentials can be sent in a header, and come from complete
/// JSON.
pub fn credential_process(data: &[u8]) {
    const SECRETS: &[&str] = &["SecretAccessKey", "SessionToken"];
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    let read = |printed| process::read(printed, "credential_process", now);
    let json: Value = serde_json::from_slice(data).unwrap_or_default();
    match read(data) {
        Ok(credentials) => {
            assert_eq!(Some(&credentials), read(data).ok().as_ref(), "read twice");
            assert_eq!(json["Version"], 1);
            let said = |key: &str| json[key].as_str().map(str::trim).filter(|t| !t.is_empty());
            let token = credentials.session_token.as_deref();
            assert_eq!(Some(credentials.key_id.as_str()), said("AccessKeyId"));
            assert_eq!(Some(credentials.secret_key.as_str()), said("SecretAccessKey"));
            assert_eq!(token, said("SessionToken"));
            for part in [Some(credentials.key_id.as_str()), Some(&*credentials.secret_key), token] {
                assert!(part.is_none_or(|part| part.bytes().all(|byte| byte.is_ascii_graphic())));
            }
            let shown = format!("{credentials:?}");
            for secret in SECRETS.iter().filter_map(|key| said(key)) {
                let mut rest = shown.replace(&format!("{:?}", credentials.key_id), "");
                rest = rest.replace("\"credential_process\"", "");
                assert!(secret.len() < 16 || !rest.contains(secret), "a secret is shown");
            }
            if let Ok(text) = str::from_utf8(data) {
                for beginning in super::beginnings(text) {
                    let cut = read(beginning.as_bytes()).ok();
                    assert!(cut.is_none_or(|cut| cut == credentials), "cut off: {beginning:?}");
                }
            }
        }
        Err(error) => super::assert_is_one_of(
            &error.to_string(),
            &[
                "credential_process: it printed nothing; run that command by hand to see what it \
                 prints",
                "credential_process: it printed broken JSON (line #, column #); run that command \
                 by hand to see what it prints",
                "credential_process: it printed JSON whose \"Version\" is not #; run that command \
                 by hand to see what it prints",
                "credential_process: it printed an \"Expiration\" that is not a time such as \
                 #-#-#T#:#:#Z; run that command by hand to see what it prints",
                "credential_process: it printed credentials that have expired; run that command by \
                 hand to see what it prints",
                "credential_process: it printed no AccessKeyId; run that command by hand to see \
                 what it prints",
                "incomplete credentials: credential_process lacks AccessKeyId; set both halves, or \
                 neither",
                "incomplete credentials: credential_process lacks SecretAccessKey; set both \
                 halves, or neither",
                "AccessKeyId in credential_process contains a space or another character that no \
                 key has; remove it",
                "SecretAccessKey in credential_process contains a space or another character that \
                 no key has; remove it",
                "the value of AccessKeyId in credential_process has quotes around it; remove them",
                "the value of SecretAccessKey in credential_process has quotes around it; remove \
                 them",
                "the value of the session token in credential_process has quotes around it; remove \
                 them",
                "the session token in credential_process contains a space or another character \
                 that no key has; remove it",
            ],
        ),
    }
}
