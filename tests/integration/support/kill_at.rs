//! Runs the program under `kill_at.py`, which counts its system calls, or kills or holds it at one
//! of them.

use super::fixture::Fixture;
use super::moto;
use super::sandbox::Run;

/// Runs the program with these options and the usual config. `words` are the arguments of
/// `kill_at.py`.
#[track_caller]
pub fn run_traced(fixture: &Fixture, words: &[&str], options: &[&str]) -> Run {
    let tracer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/support/kill_at.py");
    let tracer = [&[moto::python(), "-I", "-S", tracer], words].concat();
    let config = fixture.sandbox.path("autodns.json");
    let arguments = [options, &[config.as_str()]].concat();
    fixture.finish(fixture.sandbox.spawn_by(&tracer, &arguments))
}
