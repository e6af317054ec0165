//! What is written about the program is held against the program: the schema of its configuration,
//! the README, the manual. Starts nothing and asks nobody; what a page says of a whole run is
//! tests/integration's.

mod config;
mod links;
mod manual;
mod program;
mod readme;
