//! What is written about the program is held against the program: the schema of its configuration,
//! the pages, the manual. Runs nothing but what a page says needs no network; what a page says of a
//! whole run is tests/integration's.

mod commands;
mod config;
mod configuration;
mod keys;
mod links;
mod manual;
mod pages;
mod program;
mod readme;
mod rooms;
mod scripts;
