//! The public address of this line: who is asked (`reflector`), and what counts as an answer that
//! may be published (`public`).

pub mod public;
pub mod reflector;
