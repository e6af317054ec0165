//! autodns keeps a Route 53 record pointing at a home line's public address.
//!
//! One run is a straight line, in [`update`]:
//!
//! ```text
//! config -> credentials -> public address -> current record -> plan -> apply -> alert
//!   \_______ can fail before anything is tried: exit 2 ______/
//!                             \______ can fail while trying: alert once, exit 1 ______/
//! ```
//!
//! * [`config`] and [`credentials`]: what to do, and as whom.
//! * [`address`]: the public address, from reflectors or the interface, and what is public.
//! * [`aws`]: the current record and its change (Route 53), the alert (SNS); signed by hand.
//! * [`plan`]: wanted and found in, keep, change or refuse out. Pure.
//! * [`alert`]: what to say, when, and once; [`heartbeat`]: a request to a service that misses it.
//! * [`check`]: tests all of it for `autodns check`, and changes nothing unless asked to write.
//! * [`policy`]: the IAM policy that allows just this, for `autodns policy`. Pure.
//! * [`retry`], [`deadline`], [`detached`]: whether to try again, how much time there is, and work
//!   that may be left behind.
//! * [`record`], [`error`], [`secrets`], [`url`], [`console`], [`environment`], [`files`],
//!   [`paste`], [`percent`], [`clock`], [`transport`]: what the stages stand on.
//!
//! Imports point downwards: a stage knows what it stands on, and only [`update`] and [`check`] call
//! across.

pub mod address;
pub mod alert;
pub mod aws;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod credentials;
pub mod deadline;
pub mod detached;
pub mod environment;
pub mod error;
pub mod files;
pub mod heartbeat;
pub mod paste;
pub mod percent;
pub mod plan;
pub mod policy;
pub mod record;
pub mod retry;
pub mod secrets;
pub mod transport;
pub mod update;
pub mod url;
